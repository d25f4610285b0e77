"""Webhooks in: each source proves who it is before anything else of its body is looked at."""
