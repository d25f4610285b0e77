"""What loops have done outside: only written down, in the order it came."""

from gateway.domain.commands import Accepted, Prune, SettleDelivery
from gateway.domain.view import Pruning, View

KEPT = 24 * 3_600_000
"""How long first answers, and the `env` of an ended task, are kept (milliseconds)."""


def settle(view: View, command: SettleDelivery, _now: int) -> Accepted:
    """The outcome of one attempt to deliver."""
    view.settled.append(command)
    return Accepted()


def prune(view: View, command: Prune, _now: int) -> Accepted:
    """What is older than it may be is erased with the batch."""
    view.pruning = Pruning(at=command.at, before=command.at - KEPT)
    return Accepted()
