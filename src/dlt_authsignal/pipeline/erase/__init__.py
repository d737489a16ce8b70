"""One person taken out of everything that a pipeline keeps, and kept out."""
