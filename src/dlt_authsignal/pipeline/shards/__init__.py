"""Read a tenant in shards, on several machines, and load them in one run."""
