"""What speaks HTTP: routes, bodies, errors and streams."""
