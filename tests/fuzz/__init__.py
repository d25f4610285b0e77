"""Authentic messages, spoiled in every way: none is taken, and each is refused by name."""
