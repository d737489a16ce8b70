"""Tables in a destination: SQL databases, Delta and Iceberg."""
