"""What coding assistants get: skills and rules in a project, and a read-only MCP server on its data."""
