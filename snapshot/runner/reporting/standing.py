"""What the gateway last told us, shared by the sender and the heartbeat."""

import threading
import time

from ..stop import Reason, Stop
from .delivery import Delivered, DeliveryResult, Fenced, Unreachable


class GatewayStatus:
    """Notes every result; a cancel or a fence in it puts the stop signal up."""

    def __init__(self, stop: Stop) -> None:
        self._stop = stop
        self._lock = threading.Lock()
        self._deadline_at: float | None = None
        self._unreachable_since: float | None = None

    def note(self, result: DeliveryResult) -> None:
        """Take one result into account."""
        with self._lock:
            if not isinstance(result, Unreachable):
                self._unreachable_since = None
            elif self._unreachable_since is None:
                self._unreachable_since = time.monotonic()
            if isinstance(result, Delivered):
                self._deadline_at = result.deadline_at
        if isinstance(result, Fenced):
            self._stop.request(Reason.FENCED, f"the gateway answered {result.detail}")
        elif isinstance(result, Delivered) and result.cancel:
            self._stop.request(Reason.CANCELLED, "the gateway asked to stop")

    @property
    def unreachable_seconds(self) -> float:
        """How long nothing of the gateway was heard although it was called; 0 while it answers."""
        with self._lock:
            since = self._unreachable_since
        return 0.0 if since is None else time.monotonic() - since

    @property
    def seconds_to_deadline(self) -> float | None:
        """Time until the gateway's next deadline for us, if it named one."""
        with self._lock:
            deadline = self._deadline_at
        return None if deadline is None else deadline - time.time()
