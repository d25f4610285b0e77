"""The provider kubernetes against the stand-in for a cluster."""
