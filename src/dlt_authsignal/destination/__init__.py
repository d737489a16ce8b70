"""What dlt and each database need: registry, load hints, patches, errors, redaction, locks."""
