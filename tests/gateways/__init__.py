"""Several gateways on one PostgreSQL database, and everything that can happen to them."""
