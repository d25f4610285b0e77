"""Webhooks in from services, and the drop-in workspace API."""
