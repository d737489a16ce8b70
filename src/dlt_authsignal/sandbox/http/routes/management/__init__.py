"""Routes of the Management API."""
