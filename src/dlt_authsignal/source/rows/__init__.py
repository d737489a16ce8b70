"""From API responses to rows and Arrow batches."""
