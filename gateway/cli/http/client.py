"""The command line's HTTP client of the gateway.

No proxy of the environment sees a key and no `.netrc` replaces one: of the environment, HTTP
clients read only `SSL_CERT_FILE` and `SSL_CERT_DIR`.
"""

import os
import signal
import ssl
import time
import uuid
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from functools import partial
from typing import Final, NoReturn, TypeVar

import httpx
import msgspec

from gateway.cli.console.output import CommandFailed, print_document
from gateway.cli.console.terminal import note
from gateway.cli.http.connection import Connection, find_connection
from gateway.cli.http.errors import Unavailable, no_answer, rejection
from gateway.cli.http.options import chosen
from gateway.cli.http.paths import task_path
from gateway.domain.tasks.task import TERMINAL, Status
from gateway.wire.authorities import Authorities
from gateway.wire.tasks import EventView, Page, TaskView

T = TypeVar("T")
Query = Mapping[str, str | int | None]
EventPage = Page[msgspec.Raw]
"""A page of a feed; its events stay byte for byte as they came."""

SUCCESSFUL: Final = frozenset({Status.COMPLETED, Status.NEEDS_REVIEW})
LONG_POLL: Final = 20
"""Seconds that a feed waits for new events."""
MAX_OUTAGE: Final = 300
"""Seconds that a gateway may be unavailable before a command that follows it gives up."""
_REPEAT_SECONDS: Final = 1.0


class Client:
    """The calls of one command; every failure is a `CommandFailed`."""

    def __init__(
        self,
        http: httpx.Client,
        connection: Connection,
        *,
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self._http = http
        self._connection = connection
        self._clock = clock
        self._sleep = sleep
        self.note: Callable[[str], None] = note
        """Prints a remark about the connection."""

    @property
    def url(self) -> str:
        return str(self._http.base_url).rstrip("/")

    def get(self, path: str, **query: str | int | None) -> bytes:
        """Fetches a path; parameters that are None are left out."""
        return self.call("GET", path, query=query)

    def post(self, path: str, body: object = None) -> bytes:
        """Posts a body under an idempotency key of its own."""
        return self.call("POST", path, body, headers={"idempotency-key": str(uuid.uuid4())})

    def call(
        self,
        method: str,
        path: str,
        body: object = None,
        *,
        query: Query | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> bytes:
        """Sends one request and returns the body of its answer."""
        params = {name: value for name, value in (query or {}).items() if value is not None}
        content, sent = None, dict(headers or {})
        if body is not None:
            content = msgspec.json.encode(body)
            sent["content-type"] = "application/json"
        try:
            response = self._http.request(
                method, path, params=params, content=content, headers=sent
            )
        except httpx.HTTPError as exc:
            raise no_answer(exc, self._connection) from exc
        if response.is_success:
            return response.content
        raise rejection(response, self._connection)

    def read(self, kind: type[T], path: str, **query: str | int | None) -> T:
        """Fetches a path and decodes the answer."""
        return decode(kind, self.get(path, **query))

    def is_over(self, task_id: str) -> bool:
        """True if the task has ended."""
        return self.read(TaskView, task_path(task_id)).status in TERMINAL

    def feed(
        self, path: str, task_id: str | None, after: int | str | None = None, **query: str | int
    ) -> Iterator[EventPage]:
        """Yields the pages of a feed as they fill, across restarts of the gateway. The feed of a
        task ends when the task has ended and all its events were yielded."""
        is_over = task_id is not None and self.is_over(task_id)
        while True:
            wait = 0 if is_over else LONG_POLL
            page = self.retrying(
                partial(self.read, EventPage, path, limit=200, wait=wait, after=after, **query)
            )
            yield page
            if is_over and not page.data:
                return
            after = page.next_cursor
            if task_id is not None:
                is_over = self.retrying(partial(self.is_over, task_id))

    def retrying(self, read: Callable[[], T]) -> T:
        """Reads every second while the gateway is unavailable, for at most five minutes."""
        end = self._clock() + MAX_OUTAGE
        is_noted = False
        while True:
            try:
                return read()
            except Unavailable as exc:
                if self._clock() > end:
                    raise
                if not is_noted:
                    self.note(f"{exc.message} Waiting for it…")
                is_noted = True
            self._sleep(1)


@contextmanager
def open_client(environ: Mapping[str, str] = os.environ) -> Iterator[Client]:
    """A client of the gateway that the options, the environment or a profile name.

    Raises:
        CommandFailed: none is known, or its address or key is none.
    """
    connection = find_connection(chosen.get(), environ)
    http = open_http(
        connection.url,
        headers={"authorization": f"Bearer {connection.key}"},
        timeout=httpx.Timeout(15, read=LONG_POLL + 15),
    )
    with _repeated_interrupts(), http:
        yield Client(http, connection)


@contextmanager
def _repeated_interrupts() -> Iterator[None]:
    """Has Ctrl-C raise `KeyboardInterrupt` each second until the block is left.

    Raised between httpcore's taking of a lock and its `with` block, it leaves the lock taken, and
    the clean-up of the same request waits for it without end.
    """

    def interrupt(*_: object) -> NoReturn:
        signal.setitimer(signal.ITIMER_REAL, _REPEAT_SECONDS)
        raise KeyboardInterrupt

    numbers = (signal.SIGINT, signal.SIGALRM)
    before = [signal.signal(number, interrupt) for number in numbers]
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        for number, handler in zip(numbers, before, strict=True):
            signal.signal(number, handler)


def open_http(
    url: str, *, timeout: httpx.Timeout | float, headers: Mapping[str, str] | None = None
) -> httpx.Client:
    """A client for one address; it follows no redirect."""
    context = _tls_context(url)
    return httpx.Client(
        base_url=url, headers=headers, timeout=timeout, trust_env=False, verify=context
    )


def _tls_context(url: str) -> ssl.SSLContext:
    """Reading the authorities takes 20 ms, which an address without TLS need not wait for."""
    if url.lower().startswith("http:"):
        return ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    authorities = Authorities.of_environ(os.environ)
    for problem in authorities.problems:
        note(problem)
    return authorities.context()


def decode(kind: type[T], body: bytes) -> T:
    """Decodes an answer; fields that this version does not know are ignored.

    Raises:
        CommandFailed: it is not an answer of a gateway of this version.
    """
    try:
        return msgspec.json.decode(body, type=kind)
    except msgspec.MsgspecError as exc:
        raise CommandFailed(
            "The answer is not that of a slipgate gateway of this version.",
            "Check SLIPGATE_URL, and compare versions.",
        ) from exc


def decode_events(page: EventPage) -> tuple[EventView, ...]:
    return tuple(decode(EventView, bytes(event)) for event in page.data)


def present(
    kind: type[T],
    body: bytes,
    show: Callable[[T], None],
    *,
    as_json: bool,
    is_dry_run: bool = False,
) -> None:
    """Prints an answer: as the JSON it is, or decoded, for a person."""
    if as_json:
        print_document(body)
    else:
        show(decode(kind, body))
    if is_dry_run:
        note("dry run: nothing was changed; leave --dry-run out to do it")


def change_of(reason: str | None, *, is_dry_run: bool, **fields: object) -> dict[str, object]:
    """The body of a change; fields that are None are left out."""
    given = {"reason": reason, "dryRun": is_dry_run or None, **fields}
    return {name: value for name, value in given.items() if value is not None}
