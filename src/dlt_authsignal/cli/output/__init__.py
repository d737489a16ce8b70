"""Output of the commands: progress, summaries, KPIs, metrics."""
