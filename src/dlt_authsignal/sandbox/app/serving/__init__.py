"""The sandbox as a server: address, certificate, thread, and saved state."""
