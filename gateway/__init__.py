"""The gateway: it owns the truth about tasks, events, deliveries and launch jobs."""
