"""Several tenants in one sandbox: each is its own `Sandbox`, and the key of a request decides which one responds."""
