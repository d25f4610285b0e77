"""Messages and signing: what slipgate says and hears over HTTP, shared with the launcher."""
