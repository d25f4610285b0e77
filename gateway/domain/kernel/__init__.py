"""The base of all capabilities: errors, ids, keys, commands, the unit of work."""
