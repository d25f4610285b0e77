"""Administration of a PostgreSQL database: its connection, its storage, its place."""
