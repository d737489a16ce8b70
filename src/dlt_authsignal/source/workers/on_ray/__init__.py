"""Workers on a Ray cluster: actors, and what they and the sync tell each other, encrypted."""
