"""What every part of the sandbox uses: configuration, clock, errors, faults and rate limits."""
