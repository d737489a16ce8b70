"""The check of an assistant's query: the walk through its syntax tree, and the list of functions."""
