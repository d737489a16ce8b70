"""The command. Importing it costs neither dlt nor the sandbox."""
