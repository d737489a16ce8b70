"""When each user was last read, and how that is stored in the dataset."""
