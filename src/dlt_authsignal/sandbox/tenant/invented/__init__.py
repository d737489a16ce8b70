"""Invent the users of a tenant and their data from a seed."""
