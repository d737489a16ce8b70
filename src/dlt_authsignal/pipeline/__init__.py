"""What a run does around the source: attach, load, history, run records, erase, monitoring."""
