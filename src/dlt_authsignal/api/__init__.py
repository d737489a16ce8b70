"""What Authsignal says, as plain values. No I/O; the standard library only."""
