"""How a challenge is met: codes, passkeys, app signatures, rules and recovery codes."""
