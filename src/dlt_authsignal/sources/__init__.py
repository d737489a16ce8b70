"""Where dlt looks for a source by name: `dlt_authsignal.sources.<name>.<name>`. The source itself is in `source`."""
