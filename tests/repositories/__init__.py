"""Validation of known repositories, as a table."""
