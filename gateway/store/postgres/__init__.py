"""The store on a PostgreSQL server, for several gateways at a time."""
