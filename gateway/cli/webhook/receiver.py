"""A receiver on this machine: it verifies, deduplicates, and answers as it was told to."""

import socket
import struct
import threading
from collections import OrderedDict
from collections.abc import Callable, Sequence
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import ClassVar, Final, Protocol

import msgspec

from gateway.cli.http.replies import Answer
from gateway.cli.webhook.fault import HANG_SECONDS, Fault
from gateway.cli.webhook.request import SignedRequest
from gateway.cli.webhook.secret import Secret
from gateway.cli.webhook.verification import Verdict, judge

HOST: Final = "127.0.0.1"
MAX_BODY: Final = 4 * 1024 * 1024
REMEMBERED: Final = 100_000
"""Ids that a duplicate is told by."""
_AT_ONCE: Final = struct.pack("ii", 1, 0)
"""SO_LINGER: closing throws away what is there and resets the connection."""


class Arrival(Answer, frozen=True, kw_only=True):
    """A request, what it was found to be, and what it was answered."""

    number: int
    verdict: Verdict
    answered: int | None
    """None: not at all."""
    tries: int
    """How often this id has come, this time included."""
    is_duplicate: bool
    """It was answered with success before."""
    is_fault: bool
    body: bytes


class _Known(msgspec.Struct):
    tries: int = 0
    is_taken: bool = False


class Desk:
    """Judges what comes, in the order in which it comes, and remembers it."""

    def __init__(
        self, secrets: Sequence[Secret], *, fault: Fault | None, clock: Callable[[], float]
    ) -> None:
        self._secrets = secrets
        self._fault = fault
        self._clock = clock
        self._lock = threading.Lock()
        self._known: OrderedDict[str, _Known] = OrderedDict()
        self._count = 0

    def take(self, request: SignedRequest) -> tuple[Arrival, Fault | None]:
        """What becomes of a request."""
        with self._lock:
            self._count += 1
            verdict = judge(request, self._secrets, self._clock())
            is_faulty = self._fault is not None and self._fault.concerns(self._count)
            fault = self._fault if is_faulty else None
            right = HTTPStatus.NO_CONTENT if verdict.verified else HTTPStatus.UNAUTHORIZED
            answered = (fault.status or None) if fault else int(right)
            known = self._remembered(verdict)
            arrival = Arrival(
                number=self._count,
                verdict=verdict,
                answered=answered,
                tries=known.tries,
                is_duplicate=known.is_taken,
                is_fault=is_faulty,
                body=request.body,
            )
            known.is_taken |= fault is None and verdict.verified
            return arrival, fault

    def _remembered(self, verdict: Verdict) -> _Known:
        # Whoever cannot sign must not make a message that was never taken look like a duplicate.
        known = _Known()
        if verdict.verified and verdict.id is not None:
            known = self._known.setdefault(verdict.id, known)
            if len(self._known) > REMEMBERED:
                self._known.popitem(last=False)
        known.tries += 1
        return known


class Tell(Protocol):
    """Whoever is told of each request."""

    def __call__(self, arrival: Arrival) -> None:
        """Called from the request's own thread, before the answer goes."""


class Receiver(ThreadingHTTPServer):
    """Takes POST at every path of this machine's own address."""

    daemon_threads = True

    def __init__(
        self, port: int, desk: Desk, tell: Tell, *, note: Callable[[str], None], delay: float
    ) -> None:
        super().__init__((HOST, port), _Handler)
        self.desk = desk
        self.tell = tell
        self.note = note
        self.delay = delay
        self.stopping = threading.Event()
        self.telling = threading.Lock()

    @property
    def url(self) -> str:
        """Its address."""
        return f"http://{HOST}:{self.server_address[1]}"

    def handle_error(self, request: object, client_address: object) -> None:
        """A sender that has gone away: its next try is a request of its own."""

    def stop(self) -> None:
        """Ends what is delayed."""
        self.stopping.set()
        self.server_close()


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server_version = "slipgate-listen"
    sys_version = ""
    # socketserver sets it to whoever has made the handler: only a Receiver does.
    server: Receiver  # type: ignore[mutable-override]
    timeout: ClassVar[float | None] = 60

    def do_POST(self) -> None:
        length = self.headers.get("content-length", "")
        if not (length.isascii() and length.isdecimal()):
            self._refuse(HTTPStatus.LENGTH_REQUIRED, "a request without Content-Length")
        elif int(length) > MAX_BODY:
            self._refuse(HTTPStatus.REQUEST_ENTITY_TOO_LARGE, f"a body of {length} bytes")
        else:
            self._receive(self.rfile.read(int(length)))

    def log_message(self, format: str, *args: object) -> None:
        """Nothing: each request has its line already."""

    def _receive(self, body: bytes) -> None:
        headers = {name.lower(): value for name, value in self.headers.items()}
        request = SignedRequest(headers=headers, body=body)
        self.server.stopping.wait(self.server.delay)
        with self.server.telling:
            arrival, fault = self.server.desk.take(request)
            self.server.tell(arrival)
        if fault is None:
            self._answer(HTTPStatus(arrival.answered or 500), {})
        elif fault.kind == "reset":
            self._reset()
        elif fault.kind == "hang":
            self.server.stopping.wait(HANG_SECONDS)
            self._reset()
        else:
            self._answer(fault.status, fault.headers)

    def _refuse(self, status: HTTPStatus, what: str) -> None:
        self.server.note(f"{what} was refused with {status}")
        self.close_connection = True
        self._answer(status, {"connection": "close"})

    def _answer(self, status: int, headers: dict[str, str]) -> None:
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name, value)
        if status != HTTPStatus.NO_CONTENT:
            self.send_header("content-length", "0")
        self.end_headers()

    def _reset(self) -> None:
        self.close_connection = True
        self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _AT_ONCE)
        self.connection.close()
