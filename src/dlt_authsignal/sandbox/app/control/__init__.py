"""Control routes under `/_sandbox/`: what they do, and how they are called."""
