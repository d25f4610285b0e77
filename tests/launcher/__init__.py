"""The launcher, against a real HTTP stub of the gateway and real processes."""
