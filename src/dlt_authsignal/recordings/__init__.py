"""Use a recording of the sandbox: replay it to a fresh sandbox, or compare it with a real tenant."""
