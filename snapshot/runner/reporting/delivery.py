"""What one answer of the gateway means for the sender."""

import time
from dataclasses import dataclass
from datetime import datetime
from email.utils import parsedate_to_datetime

import httpx
import msgspec


@dataclass(frozen=True, kw_only=True, slots=True)
class Delivered:
    """Stored. `applied` is the permission an ask waits for."""

    applied: bool
    cancel: bool
    deadline_at: float | None
    """Unix seconds."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Fenced:
    """409, 410 or an unknown task: this attempt is over."""

    detail: str


@dataclass(frozen=True, kw_only=True, slots=True)
class Rejected:
    """The gateway will never take this message; sending it again is useless."""

    detail: str


@dataclass(frozen=True, kw_only=True, slots=True)
class ClockSkewed:
    """Our clock and the gateway's differ by so many seconds (theirs minus ours)."""

    skew_seconds: float


@dataclass(frozen=True, kw_only=True, slots=True)
class Busy:
    """The gateway lives and asks for patience (seconds, or None if it named none)."""

    retry_after: float | None


@dataclass(frozen=True, kw_only=True, slots=True)
class Unreachable:
    """No answer, or one that is not the gateway's: a proxy or a tunnel in its place."""

    detail: str


DeliveryResult = Delivered | Fenced | Rejected | ClockSkewed | Busy | Unreachable


class _Answer(msgspec.Struct, rename="camel"):
    applied: bool = True
    cancel: bool = False
    deadline_at: datetime | None = None


class _Problem(msgspec.Struct):
    code: str


def classify(response: httpx.Response) -> DeliveryResult:
    """Read an answer. A duplicate counts as applied: its first sending was."""
    status = response.status_code
    if response.is_success:
        return _delivered(response)
    code = _problem_code(response)
    if status in {409, 410} or code == "unknown_task":
        return Fenced(detail=f"{status} {code}".strip())
    if status == 401 and code == "timestamp_out_of_tolerance":
        return _clock_skewed(response)
    if status == 429 or status >= 500:
        return _later(response, code)
    if not code:
        return Unreachable(detail=f"HTTP {status} without the gateway's error code")
    return Rejected(detail=f"{status} {code}")


def _delivered(response: httpx.Response) -> DeliveryResult:
    try:
        answer = msgspec.json.decode(response.content, type=_Answer)
    except msgspec.MsgspecError:
        return Unreachable(detail=f"HTTP {response.status_code} that is not the gateway's JSON")
    deadline = answer.deadline_at.timestamp() if answer.deadline_at else None
    return Delivered(applied=answer.applied, cancel=answer.cancel, deadline_at=deadline)


def _problem_code(response: httpx.Response) -> str:
    try:
        return msgspec.json.decode(response.content, type=_Problem).code
    except msgspec.MsgspecError:
        return ""


def _later(response: httpx.Response, code: str) -> DeliveryResult:
    retry_after = _retry_after(response.headers.get("retry-after", ""))
    if retry_after is None and not code and response.status_code in {502, 504}:
        return Unreachable(detail=f"HTTP {response.status_code} from something before the gateway")
    return Busy(retry_after=retry_after)


def _retry_after(header: str) -> float | None:
    if header.isdigit():
        return float(header)
    moment = _http_date(header)
    return None if moment is None else max(0.0, moment - time.time())


def _clock_skewed(response: httpx.Response) -> DeliveryResult:
    theirs = _http_date(response.headers.get("date", ""))
    if theirs is None:
        return Rejected(detail="401 timestamp_out_of_tolerance, and no Date to set our clock by")
    return ClockSkewed(skew_seconds=theirs - time.time())


def _http_date(header: str) -> float | None:
    try:
        return parsedate_to_datetime(header).timestamp()
    except ValueError:
        return None
