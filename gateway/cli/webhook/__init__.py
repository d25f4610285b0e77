"""`slipgate webhook …`: signs, verifies, receives and forwards webhooks."""
