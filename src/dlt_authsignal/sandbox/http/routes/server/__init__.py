"""Routes of the Server API, one module per subject."""
