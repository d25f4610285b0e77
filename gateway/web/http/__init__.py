"""HTTP itself, without any capability: connections, middleware, access, bodies, cursors."""
