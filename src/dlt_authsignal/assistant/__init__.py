"""Support for coding assistants: skills and rules in a project, and a read-only MCP server for its data."""
