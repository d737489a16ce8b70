"""Deletes and row versions, derived in the destination after each load."""
