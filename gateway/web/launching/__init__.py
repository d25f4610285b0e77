"""The launcher protocol, launchers and sweeps."""
