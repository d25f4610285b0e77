"""A stand-in for the docker CLI and its daemon."""
