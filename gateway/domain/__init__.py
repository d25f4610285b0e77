"""The rules of slipgate: pure values and functions, without I/O, clock or randomness."""
