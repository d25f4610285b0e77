"""The tests of slipgate."""
