"""Conformance: every store does what the store in memory does, at every step of whole runs."""
