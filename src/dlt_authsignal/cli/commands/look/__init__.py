"""Commands that show what was loaded."""
