"""Convert API responses to rows and Arrow tables."""
