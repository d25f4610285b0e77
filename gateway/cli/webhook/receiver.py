"""A webhook receiver on this machine that verifies, deduplicates, and fails on demand."""

import re
import socket
import struct
import threading
from collections import OrderedDict
from collections.abc import Callable, Sequence
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import ClassVar, Final, Literal

import msgspec
import typer

from gateway.cli.webhook.secret import Secret
from gateway.cli.webhook.verification import SignedRequest, Verification, verify

HOST: Final = "127.0.0.1"
MAX_BODY: Final = 4 * 1024 * 1024
"""Bytes."""
MAX_IDS: Final = 100_000
"""Ids that are kept to recognise duplicates."""
HANG_SECONDS: Final = 120
"""Longer than any sender waits."""
_RESET: Final = struct.pack("ii", 1, 0)
"""SO_LINGER: closing discards what was not sent and resets the connection."""
_STATUS: Final = re.compile(r"[345][0-9]{2}")

Kind = Literal["status", "redirect", "reset", "hang"]
_KINDS: Final[dict[str, tuple[Kind, int]]] = {
    "redirect": ("redirect", 302),
    "reset": ("reset", 0),
    "hang": ("hang", 0),
}


class Fault(msgspec.Struct, frozen=True, kw_only=True):
    """A failure that the receiver was asked for, and the requests that get it."""

    kind: Kind
    status: int = 0
    retry_after: int | None = None
    times: int | None = None
    """Only the first requests, this many; None: all."""
    every: int = 1
    """Only every Nth request."""

    @classmethod
    def read(cls, text: str, *, times: int | None, every: int, retry_after: int | None) -> "Fault":
        """Reads a status from 300, `redirect`, `reset` or `hang`.

        Raises:
            BadParameter: it is none of them.
        """
        kind, status = _KINDS.get(text, ("status", 0))
        if kind == "status":
            if not _STATUS.fullmatch(text):
                wanted = "expected a status from 300 to 599, redirect, reset or hang"
                raise typer.BadParameter(wanted, param_hint="--fail")
            status = int(text)
        return cls(kind=kind, status=status, times=times, every=every, retry_after=retry_after)

    def concerns(self, number: int) -> bool:
        """True if the request of this number, from 1, fails."""
        return number % self.every == 0 and (
            self.times is None or number <= self.times * self.every
        )

    @property
    def headers(self) -> dict[str, str]:
        location = {"location": "/elsewhere"} if self.kind == "redirect" else {}
        wait = {} if self.retry_after is None else {"retry-after": str(self.retry_after)}
        return location | wait


class Arrival(msgspec.Struct, frozen=True, kw_only=True):
    """A request, its verification and its answer."""

    number: int
    verification: Verification
    answered: int | None
    """A status; None: no answer."""
    tries: int
    """The number of requests with this id so far."""
    is_duplicate: bool
    """True if this id was answered with success before."""
    is_fault: bool
    body: bytes


class _Known(msgspec.Struct):
    tries: int = 0
    is_taken: bool = False


class Inbox:
    """Verifies requests in their order and remembers their ids."""

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
        """Records a request; the fault says how to fail it."""
        with self._lock:
            self._count += 1
            verification = verify(request, self._secrets, self._clock())
            fault = self._fault if self._fault and self._fault.concerns(self._count) else None
            status = HTTPStatus.NO_CONTENT if verification.verified else HTTPStatus.UNAUTHORIZED
            known = self._known_id(verification)
            arrival = Arrival(
                number=self._count,
                verification=verification,
                answered=(fault.status or None) if fault else int(status),
                tries=known.tries,
                is_duplicate=known.is_taken,
                is_fault=fault is not None,
                body=request.body,
            )
            known.is_taken |= fault is None and verification.verified
            return arrival, fault

    def _known_id(self, verification: Verification) -> _Known:
        # A request without a valid signature must not make a message look like a duplicate.
        known = _Known()
        if verification.verified and verification.id is not None:
            known = self._known.setdefault(verification.id, known)
            if len(self._known) > MAX_IDS:
                self._known.popitem(last=False)
        known.tries += 1
        return known


class Receiver(ThreadingHTTPServer):
    """Takes POST requests at every path of this machine's loopback address.

    `show` is called with each request in its own thread, before the answer is sent.
    """

    daemon_threads = True

    def __init__(
        self,
        port: int,
        inbox: Inbox,
        show: Callable[[Arrival], None],
        *,
        note: Callable[[str], None],
        delay: float,
    ) -> None:
        super().__init__((HOST, port), _Handler)
        self.inbox = inbox
        self.show = show
        self.note = note
        self.delay = delay
        self.stopping = threading.Event()
        self.showing = threading.Lock()

    @property
    def url(self) -> str:
        return f"http://{HOST}:{self.server_address[1]}"

    def handle_error(self, request: object, client_address: object) -> None:
        """Ignores a sender that has gone away: its next try is a request of its own."""

    def stop(self) -> None:
        """Ends delayed and hanging answers, and closes the port."""
        self.stopping.set()
        self.server_close()


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server_version = "slipgate-listen"
    sys_version = ""
    # socketserver sets it to the server that made the handler: always a Receiver.
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
        """Logs nothing: each request has its line already."""

    def _receive(self, body: bytes) -> None:
        headers = {name.lower(): value for name, value in self.headers.items()}
        request = SignedRequest(headers=headers, body=body)
        self.server.stopping.wait(self.server.delay)
        with self.server.showing:
            arrival, fault = self.server.inbox.take(request)
            self.server.show(arrival)
        if fault is None:
            self._answer(HTTPStatus(arrival.answered or 500), {})
        elif fault.kind in ("reset", "hang"):
            if fault.kind == "hang":
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
        self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET)
        self.connection.close()
