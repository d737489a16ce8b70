"""Webhooks of the sandbox: events, their payloads, the queue and the delivery."""
