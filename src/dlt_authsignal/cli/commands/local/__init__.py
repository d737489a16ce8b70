"""Commands around the local Authsignal."""
