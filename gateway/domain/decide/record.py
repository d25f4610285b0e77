"""What loops have done outside: only written down, in the order it came."""

from gateway.domain.commands import Accepted, SettleDelivery
from gateway.domain.view import View


def settle(view: View, command: SettleDelivery, _now: int) -> Accepted:
    """The outcome of one attempt to deliver."""
    view.settled.append(command)
    return Accepted()
