"""Freshness, key checks, destination checks and forecasts."""
