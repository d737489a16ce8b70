"""Attempts in the form of the Open Cybersecurity Schema Framework."""
