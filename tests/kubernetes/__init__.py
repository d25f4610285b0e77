"""A stand-in for a Kubernetes cluster: its API over real HTTP, its controllers, one node."""
