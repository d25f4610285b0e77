"""`slipgate webhook …`: for whoever sends or receives webhooks and wants to see them work."""
