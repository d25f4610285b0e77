"""Webhooks in from agents: events, patches, claims about the result."""
