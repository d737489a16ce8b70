"""Short-lived state: tokens, challenges, sessions, sent messages and rate windows."""
