"""The dlt resources of each API."""
