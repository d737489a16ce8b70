"""The routes, one module for each subject: what the API serves and how."""
