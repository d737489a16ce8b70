"""Protect personal data: hash, truncate or drop it."""
