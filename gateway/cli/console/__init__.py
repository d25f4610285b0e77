"""The output of commands: for a terminal, or as JSON."""
