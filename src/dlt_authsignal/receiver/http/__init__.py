"""Deliveries over HTTP: bodies, connections, and the endpoint of a tenant."""
