"""Views that combine events with what the API returned, and compare the two."""
