"""`slipgate snapshot`: builds, pushes and checks the snapshot of our scripts."""
