"""What the commands about events and alerts print."""
