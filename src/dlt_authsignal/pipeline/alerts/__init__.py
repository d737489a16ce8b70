"""Look for attack signals, keep them in the table `detections`, and send each one once."""
