"""Stories that are laid over the invented users: a rollout, a broken release, an SMS attack, and incidents."""
