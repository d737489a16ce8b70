"""Synthetic monitoring: a canary user registers a passkey and signs in."""
