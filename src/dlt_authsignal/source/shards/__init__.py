"""Shards: parts of a tenant's users that several machines read and write as files, and that one run loads."""
