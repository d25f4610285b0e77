"""Tasks: their events, the fold, their clocks, and what callers may ask of them."""
