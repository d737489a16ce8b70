"""Authsignal's APIs as plain values: endpoints, responses, webhooks. No I/O; standard library only."""
