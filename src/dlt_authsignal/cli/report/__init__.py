"""What commands print: progress, summaries, KPIs, metrics."""
