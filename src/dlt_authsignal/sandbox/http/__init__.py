"""From an HTTP request to a response: authentication, faults, dispatch and routes."""
