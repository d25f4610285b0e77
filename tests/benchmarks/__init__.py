"""What this machine does per second, in pairs on the same server."""
