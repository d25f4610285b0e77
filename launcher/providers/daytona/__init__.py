"""Daytona: sandboxes from our own snapshot, by its API and by its CLI."""
