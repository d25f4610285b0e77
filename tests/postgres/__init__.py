"""A PostgreSQL server for the tests that run side by side, and a database for each of them."""
