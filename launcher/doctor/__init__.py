"""`slipgate doctor`: checks the gateway, the launcher's settings and its providers."""
