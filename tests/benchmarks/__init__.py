"""Measurements of this machine, in pairs on the same server."""
