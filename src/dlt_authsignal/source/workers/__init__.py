"""Processes that read users."""
