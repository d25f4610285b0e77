"""The command line's calls to the gateway."""
