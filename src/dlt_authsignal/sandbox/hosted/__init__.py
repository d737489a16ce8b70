"""The pages to which the `url` of a tracked action leads: Authsignal's pre-built UI, as far as it is published."""
