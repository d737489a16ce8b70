"""Workers on a Ray cluster: actors, and the encrypted messages between them and the sync."""
