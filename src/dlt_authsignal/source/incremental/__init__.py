"""Incremental reads: due users, the state of earlier reads, and the delete guard."""
