"""The dashboard as a web server on this machine."""
