"""One sync: read, load, count changes, report."""
