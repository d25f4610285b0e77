"""Stand-ins for the world around slipgate: they speak the true protocols, on this machine alone."""
