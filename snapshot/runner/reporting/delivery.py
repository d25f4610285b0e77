"""The gateway's answer to one delivery, and what the answers so far say about the attempt."""

import threading
import time
from datetime import datetime

import httpx
import msgspec

from ..network.client import http_date
from ..stop import Reason, Stop


class Delivered(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    applied: bool = True
    """The permission that an ask waits for."""
    cancel: bool = False
    deadline_at: datetime | None = None


class Fenced(msgspec.Struct, frozen=True, kw_only=True):
    """409, 410 or an unknown task: this attempt is over."""

    detail: str


class Rejected(msgspec.Struct, frozen=True, kw_only=True):
    """The gateway will never take this message."""

    detail: str


class ClockSkewed(msgspec.Struct, frozen=True, kw_only=True):
    skew_seconds: float
    """The gateway's clock minus ours."""


class Busy(msgspec.Struct, frozen=True, kw_only=True):
    retry_after: float | None
    """Seconds."""


class Unreachable(msgspec.Struct, frozen=True, kw_only=True):
    """No answer, or one of a proxy or a tunnel in the gateway's place."""

    detail: str


DeliveryResult = Delivered | Fenced | Rejected | ClockSkewed | Busy | Unreachable


class _Problem(msgspec.Struct):
    code: str


def classify(response: httpx.Response) -> DeliveryResult:
    """Read an answer. A duplicate counts as applied: its first delivery was."""
    status = response.status_code
    if response.is_success:
        try:
            return msgspec.json.decode(response.content, type=Delivered)
        except msgspec.MsgspecError:
            return Unreachable(detail=f"HTTP {status} that is not the gateway's JSON")
    try:
        code = msgspec.json.decode(response.content, type=_Problem).code
    except msgspec.MsgspecError:
        code = ""
    if status in {409, 410} or code == "unknown_task":
        return Fenced(detail=f"{status} {code}".strip())
    if status == 401 and code == "timestamp_out_of_tolerance":
        theirs = http_date(response.headers.get("date", ""))
        if theirs is None:
            return Rejected(detail=f"401 {code}, and no Date to set our clock by")
        return ClockSkewed(skew_seconds=theirs - time.time())
    if status == 429 or status >= 500:
        return _unavailable(response, code)
    if not code:
        return Unreachable(detail=f"HTTP {status} without the gateway's error code")
    return Rejected(detail=f"{status} {code}")


def _unavailable(response: httpx.Response, code: str) -> DeliveryResult:
    header = response.headers.get("retry-after", "")
    retry_after = float(header) if header.isdecimal() else None
    if retry_after is None and (moment := http_date(header)) is not None:
        retry_after = max(0.0, moment - time.time())
    if retry_after is None and not code and response.status_code in {502, 504}:
        return Unreachable(detail=f"HTTP {response.status_code} from something before the gateway")
    return Busy(retry_after=retry_after)


class GatewayStatus:
    """The last answers of the gateway, shared by the sender and the heartbeat.

    A cancel or a fence in an answer requests the stop.
    """

    def __init__(self, stop: Stop) -> None:
        self._stop = stop
        self._lock = threading.Lock()
        self._deadline_at: float | None = None
        self._unreachable_since: float | None = None

    def note(self, result: DeliveryResult) -> None:
        with self._lock:
            if not isinstance(result, Unreachable):
                self._unreachable_since = None
            elif self._unreachable_since is None:
                self._unreachable_since = time.monotonic()
            if isinstance(result, Delivered):
                deadline = result.deadline_at
                self._deadline_at = deadline.timestamp() if deadline else None
        if isinstance(result, Fenced):
            self._stop.request(Reason.FENCED, f"the gateway answered {result.detail}")
        elif isinstance(result, Delivered) and result.cancel:
            self._stop.request(Reason.CANCELLED, "the gateway asked to stop")

    @property
    def unreachable_seconds(self) -> float:
        """Time since the first unanswered delivery; 0 while the gateway answers."""
        with self._lock:
            since = self._unreachable_since
        return 0.0 if since is None else time.monotonic() - since

    @property
    def seconds_to_deadline(self) -> float | None:
        """Time until the gateway's next deadline for this attempt, if it named one."""
        with self._lock:
            deadline = self._deadline_at
        return None if deadline is None else deadline - time.time()
