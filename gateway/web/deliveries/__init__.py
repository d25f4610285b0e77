"""Endpoints, deliveries, replays."""
