"""`slipgate snapshot build|push|check`: makes the snapshot of our scripts, and holds it to them."""
