"""Settings of the source: credentials, connection, request limits, durations."""
