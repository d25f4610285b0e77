"""Administration of the SQLite file: verify, backup, upgrade, key rotation."""
