"""Findings and figures in words."""
