"""`slipgate tasks`."""
