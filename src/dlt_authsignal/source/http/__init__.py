"""Requests to Authsignal: sessions, retries, rate limits."""
