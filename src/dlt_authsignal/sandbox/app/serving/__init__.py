"""The sandbox as a server: address, certificate, thread, and state that is saved."""
