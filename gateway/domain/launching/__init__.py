"""Launch jobs, leases, realms, and the sandboxes in them."""
