"""A gateway as the agent sees it: checks every signature, keeps every event, answers as told."""

import base64
import gzip
import hashlib
import hmac
import json
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from urllib.parse import urlsplit

from tests.snapshot.http_stub import HttpStub, Request, Response
from tests.snapshot.patience import PATIENCE_SECONDS

SECRET = "whsec_" + base64.b64encode(b"k" * 32).decode()
WEBHOOKS = "/v1/webhooks/agent"
PROMPT = "/v1/agent/prompt"
PATCH = "/v1/agent/patch"
GITHUB_TOKEN = "/v1/agent/github-token"


@dataclass(frozen=True, kw_only=True)
class Event:
    """One event that was received and properly signed."""

    id: str
    type: str
    data: dict[str, object]

    @property
    def step(self) -> str:
        """The type without its prefix, or the stage of a progress."""
        if self.type == "task.progress":
            return f"progress:{self.data['stage']}"
        return self.type.removeprefix("task.")


Reaction = Callable[[Event], Response | None]


@dataclass
class GatewayStub:
    """Applies everything unless a reaction says otherwise."""

    prompt: str = ""
    earlier: dict[str, object] = field(default_factory=dict)
    """The work of an earlier attempt, for one that resumes it."""
    github_token: str | None = None
    """A new one, of a launcher with a GitHub App."""
    deadline_seconds: float = 300
    events: list[Event] = field(default_factory=list)
    """Each once, in order of arrival, as deduplicated by id."""
    heartbeats: list[Event] = field(default_factory=list)
    requests: list[Request] = field(default_factory=list)
    reactions: list[Reaction] = field(default_factory=list)
    is_cancelling: bool = False

    def __post_init__(self) -> None:
        self._changed = threading.Condition()
        self.http = HttpStub(self._answer)

    @property
    def webhook_url(self) -> str:
        """The value of SLIPGATE_WEBHOOK_URL in a sandbox."""
        return self.http.url + WEBHOOKS

    @property
    def steps(self) -> list[str]:
        """The events in order, without the log and without repetitions in a row."""
        steps = [event.step for event in self.events if event.type != "task.log"]
        return [step for step, before in zip(steps, [None, *steps], strict=False) if step != before]

    def of(self, kind: str) -> list[Event]:
        """All events of a type."""
        return [event for event in self.events if event.type == kind]

    @property
    def patch(self) -> str:
        """The newest revision of the patch, as the gateway puts it together."""
        pieces = self.of("task.patch")
        newest = max(_number(piece, "revision") for piece in pieces)
        text = b""
        for piece in pieces:
            if _number(piece, "revision") == newest:
                assert _number(piece, "offset") == len(text)
                text += _unpacked(piece)
        assert len(text) == _number(pieces[-1], "size"), "without a hole"
        return text.decode()

    def leaves(self) -> None:
        """Keep what was told for the attempt that comes next."""
        first = self.of("task.patch")[0].data
        self.earlier = {
            "attempt": first["attempt"],
            "baseSha": first["baseSha"],
            "summary": first.get("summary"),
            "warnings": first.get("warnings", []),
            "patch": self.patch,
        }
        self.events.clear()

    @property
    def last(self) -> Event:
        """The last event so far."""
        return self.events[-1]

    def wait_for(self, is_it: Callable[[Event], bool], seconds: float = PATIENCE_SECONDS) -> None:
        """Wait until such an event has come."""
        with self._changed:
            came = self._changed.wait_for(
                lambda: any(is_it(event) for event in [*self.events, *self.heartbeats]), seconds
            )
        assert came, f"it never came; there was {self.steps}"

    def on_step(self, step: str, response: Response) -> None:
        """Answer every event of a step like this, and do not keep it."""
        self.reactions.append(lambda event: response if event.step == step else None)

    def _answer(self, request: Request) -> Response:
        if not _is_signed(request):
            return _problem(401, "invalid_signature")
        self.requests.append(request)
        if request.method == "GET" and urlsplit(request.target).path == PROMPT:
            return Response(content={"prompt": self.prompt})
        if request.method == "GET" and urlsplit(request.target).path == PATCH:
            return Response(content=self.earlier)
        if request.method == "GET" and urlsplit(request.target).path == GITHUB_TOKEN:
            return self._renewed()
        return self._take(request)

    def _renewed(self) -> Response:
        if self.github_token is None:
            return _problem(404, "no_github_app")
        ends = (datetime.now(UTC) + timedelta(hours=1)).isoformat(timespec="milliseconds")
        return Response(content={"token": self.github_token, "expiresAt": ends})

    def _take(self, request: Request) -> Response:
        body = json.loads(request.body)
        event = Event(id=request.headers["webhook-id"], type=body["type"], data=body["data"])
        for reaction in self.reactions:
            if (response := reaction(event)) is not None:
                return response
        with self._changed:
            kept = self.heartbeats if event.type == "task.heartbeat" else self.events
            is_duplicate = event.id in {known.id for known in kept}
            if not is_duplicate:
                kept.append(event)
            self._changed.notify_all()
        return self._accepted(is_duplicate=is_duplicate)

    def _accepted(self, *, is_duplicate: bool) -> Response:
        deadline = datetime.now(UTC) + timedelta(seconds=self.deadline_seconds)
        answer = {
            "accepted": True,
            "applied": not is_duplicate,
            "cancel": self.is_cancelling,
            "deadlineAt": deadline.isoformat(timespec="milliseconds"),
        }
        if is_duplicate:
            return Response(status=200, content={**answer, "applied": True, "duplicate": True})
        return Response(status=202, content=answer)


def refusal(status: int, code: str, **headers: str) -> Response:
    """One of the gateway's errors."""
    response = _problem(status, code)
    return Response(
        status=status,
        content=response.content,
        headers={name.replace("_", "-"): value for name, value in headers.items()},
    )


def _number(event: Event, name: str) -> int:
    value = event.data.get(name, 1)
    assert isinstance(value, int)
    return value


def _unpacked(piece: Event) -> bytes:
    chunk = str(piece.data["chunk"])
    assert len(chunk.encode()) <= 64 * 1024
    if "encoding" not in piece.data:
        return chunk.encode()
    assert piece.data["encoding"] == "gzip"
    text = gzip.decompress(base64.b64decode(chunk))
    assert len(text) <= 1024**2
    return text


def _problem(status: int, code: str) -> Response:
    return Response(status=status, content={"type": "about:blank", "status": status, "code": code})


def _is_signed(request: Request) -> bool:
    identifier = request.headers.get("webhook-id", "")
    timestamp = request.headers.get("webhook-timestamp", "0")
    key = base64.b64decode(SECRET.removeprefix("whsec_"))
    mac = hmac.digest(key, f"{identifier}.{timestamp}.".encode() + request.body, hashlib.sha256)
    is_ours = request.headers.get("webhook-signature") == "v1," + base64.b64encode(mac).decode()
    return is_ours and abs(time.time() - int(timestamp)) < 300
