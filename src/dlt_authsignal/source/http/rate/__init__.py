"""How fast requests are sent."""
