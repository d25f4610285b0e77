"""Webhooks out: endpoints, the outbox, replays."""
