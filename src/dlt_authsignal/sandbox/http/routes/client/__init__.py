"""Routes of the Client API, one module per subject."""
