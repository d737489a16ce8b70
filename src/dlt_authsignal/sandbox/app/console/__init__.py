"""The pages under `/_sandbox/`: users, attempts, rules, webhooks and buttons."""
