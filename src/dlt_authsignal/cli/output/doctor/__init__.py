"""What `dlt-authsignal doctor` checks and prints."""
