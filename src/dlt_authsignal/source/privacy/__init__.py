"""Hashing, truncating and leaving out personal data."""
