"""`slipgate demo`: placeholder until the stand-ins are there."""


def demo() -> None:
    """Run one task from POST to pull request on this machine, with a kill in the middle."""
