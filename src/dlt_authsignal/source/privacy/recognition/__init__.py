"""Recognise personal identifiers, secrets and harmless text by their form."""
