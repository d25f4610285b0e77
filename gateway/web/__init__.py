"""HTTP in: routes, middleware, and how requests become commands."""
