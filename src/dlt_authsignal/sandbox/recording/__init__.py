"""Recordings of the sandbox's requests and responses: one entry of an HTTP archive (HAR) per line."""
