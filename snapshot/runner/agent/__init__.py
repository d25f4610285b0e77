"""The agent: its engines, and the confinement of the commands it runs."""
