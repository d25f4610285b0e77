"""Webhooks in from agents, and what agents may fetch."""
