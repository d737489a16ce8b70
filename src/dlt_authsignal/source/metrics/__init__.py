"""What a run counts: requests, users, schema drift."""
