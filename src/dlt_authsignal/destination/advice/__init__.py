"""What to change after a destination could not be reached: which setting is missing or wrong, never its value."""
