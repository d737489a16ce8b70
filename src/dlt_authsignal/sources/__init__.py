"""Modules that dlt imports to find a source by name. The source itself is in `dlt_authsignal.source`."""
