"""The tables: names, keys, columns, meanings and kinds of personal data."""
