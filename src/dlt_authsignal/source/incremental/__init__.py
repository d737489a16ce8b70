"""Which users are due, what earlier runs read, and the delete guard."""
