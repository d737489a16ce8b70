"""The promises of a release: `released.json` holds them, and a test compares the code with it."""
