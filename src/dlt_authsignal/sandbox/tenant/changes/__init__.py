"""The configuration changes of the seeded tenant: when they happen, what they change, and their expected effects."""
