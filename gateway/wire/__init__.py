"""The messages of HTTP, their signatures, log lines and settings; shared with the launcher."""
