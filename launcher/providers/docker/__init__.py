"""Sandboxes as containers of a docker daemon, by the docker CLI."""
