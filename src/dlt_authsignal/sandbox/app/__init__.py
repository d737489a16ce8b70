"""The web application: routes, control API, pages, OpenAPI description and server."""
