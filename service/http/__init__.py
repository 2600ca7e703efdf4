"""The HTTP layer: routes, bodies, errors and streams."""
