"""What a sync prints and sends: estimate, progress, summary, notice of a failure."""
