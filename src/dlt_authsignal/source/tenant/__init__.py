"""Recognise the tenant of a dataset, so that two tenants never overwrite each other."""
