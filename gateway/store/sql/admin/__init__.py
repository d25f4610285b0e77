"""Administration of a database of either dialect: verify, keys, key rotation, restored copies."""
