"""`slipgate endpoints` and `slipgate deliveries`."""
