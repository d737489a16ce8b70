"""The pages to which the `url` of a tracked action leads: an emulation of Authsignal's pre-built UI."""
