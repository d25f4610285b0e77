"""`slipgate init`: settings, keys, checks and the first task, in one go."""
