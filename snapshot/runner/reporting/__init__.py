"""The attempt's events, on disk and to the gateway."""
