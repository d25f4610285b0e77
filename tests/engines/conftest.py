"""A sandbox a test, as for the other agents."""

from tests.snapshot.conftest import remote, sandbox, template

__all__ = ["remote", "sandbox", "template"]
