"""The command line's HTTP client: it speaks to the gateway like everybody else."""

import os
import time
import uuid
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from functools import partial
from typing import TypeVar

import httpx
import msgspec

from gateway.cli.console.output import CommandFailed
from gateway.cli.console.terminal import trouble
from gateway.cli.http.errors import (
    KEYS,
    Away,
    refused,
    unanswered,
)
from gateway.cli.http.replies import (
    Answer,
    EventView,
    FeedPage,
    LogPage,
    LogView,
    TaskView,
)
from gateway.cli.http.transport import open_http

A = TypeVar("A", bound=Answer)
T = TypeVar("T")
Query = Mapping[str, str | int]

LONG_POLL = 20
"""Seconds a feed is asked to wait for news."""
PATIENCE = 300
"""Seconds a gateway may be away before who follows a task gives up."""


class Client:
    """Calls of one command; every failure is a `CommandFailed` that says what to do."""

    def __init__(
        self,
        http: httpx.Client,
        *,
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self._http = http
        self._clock = clock
        self._sleep = sleep

    @property
    def url(self) -> str:
        """Of the gateway."""
        return str(self._http.base_url).rstrip("/")

    def get(self, path: str, **query: str | int) -> bytes:
        """The body of an answer."""
        return self._call("GET", path, query).content

    def post(self, path: str, body: object = None, *, key: str | None = None) -> bytes:
        """The body of an answer; the key makes a repeated call the same call."""
        headers = {"idempotency-key": key or str(uuid.uuid4())}
        content = None if body is None else msgspec.json.encode(body)
        return self._call("POST", path, {}, content, headers).content

    def send(self, method: str, path: str, body: object = None) -> bytes:
        """The body of an answer to another change than POST."""
        content = None if body is None else msgspec.json.encode(body)
        return self._call(method, path, {}, content).content

    def read(self, made: type[A], path: str, **query: str | int) -> A:
        """An answer as a value."""
        return decode(made, self.get(path, **query))

    def task(self, task_id: str) -> TaskView:
        """One task."""
        return self.read(TaskView, f"/v1/tasks/{path_part(task_id)}")

    def follow(self, task_id: str) -> Iterator[EventView]:
        """Its events as they come, until it has ended and all were given."""
        for page in self.feed(f"/v1/tasks/{path_part(task_id)}/events", task_id):
            yield from page.events

    def feed(
        self, path: str, task_id: str | None, after: int | None = None, **query: str | int
    ) -> Iterator[FeedPage]:
        """The pages of a feed as they fill; that of a task ends with it, and all were given. A
        gateway that is started again meanwhile is waited for."""
        start: dict[str, str | int] = {} if after is None else {"after": after}
        is_over = task_id is not None and self.task(task_id).is_over
        while True:
            wait = 0 if is_over else LONG_POLL
            read = partial(self.read, FeedPage, path, limit=200, wait=wait, **query, **start)
            page = self.patiently(read)
            yield page
            if is_over and not page.data:
                return
            start = {"after": page.next_cursor}
            if task_id is not None:
                is_over = self.patiently(partial(self.task, task_id)).is_over

    def log(self, task_id: str, after: int = 0) -> Iterator[LogView]:
        """The agent's log, to its end."""
        path = f"/v1/tasks/{path_part(task_id)}/logs"
        while True:
            page = self.read(LogPage, path, after=after)
            if not page.data:
                return
            yield from page.data
            after = int(page.next_cursor)

    def patiently(self, read: Callable[[], T]) -> T:
        """What is read, of a gateway that may be away for a while."""
        end = self._clock() + PATIENCE
        is_told = False
        while True:
            try:
                return read()
            except Away as away:
                if self._clock() > end:
                    raise
                if not is_told:
                    trouble.print(f"{away.message} Waiting for it…", style="dim", markup=False)
                is_told = True
            self._sleep(1)

    def _call(
        self,
        method: str,
        path: str,
        query: Query,
        content: bytes | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> httpx.Response:
        sent = {**(headers or {}), **({"content-type": "application/json"} if content else {})}
        try:
            response = self._http.request(method, path, params=query, content=content, headers=sent)
        except httpx.HTTPError as exc:
            raise unanswered(exc, str(self._http.base_url)) from exc
        if response.is_success:
            return response
        raise refused(response)


@contextmanager
def open_client(environ: Mapping[str, str] | None = None) -> Iterator[Client]:
    """A client from `SLIPGATE_URL` and `SLIPGATE_API_KEY`.

    Raises:
        CommandFailed: there is no key, or the address is not one.
    """
    environ = os.environ if environ is None else environ
    url = environ.get("SLIPGATE_URL", "http://127.0.0.1:8700").rstrip("/")
    key = environ.get("SLIPGATE_API_KEY", "").strip()
    if not key:
        raise CommandFailed(
            "SLIPGATE_API_KEY is not set.",
            "Set it to a tasks key: `slipgate up` shows one on its first run, "
            f"{KEYS} makes another.",
        )
    if not key.isascii() or not key.isprintable():
        raise CommandFailed(
            "SLIPGATE_API_KEY is not a key: it holds what no key holds.",
            f"Copy it again, or make another by {KEYS}.",
        )
    if not url.startswith(("http://", "https://")):
        raise CommandFailed(
            "SLIPGATE_URL is not an http or https address.",
            "Set it, for example, to http://127.0.0.1:8700.",
        )
    with open_http(
        url,
        headers={"authorization": f"Bearer {key}"},
        timeout=httpx.Timeout(15, read=LONG_POLL + 15),
    ) as http:
        yield Client(http)


def decode(made: type[A], body: bytes) -> A:
    """An answer as a value.

    Raises:
        CommandFailed: it is not what a gateway of this version says.
    """
    try:
        return msgspec.json.decode(body, type=made)
    except msgspec.MsgspecError as exc:
        raise CommandFailed(
            "The answer is not that of a slipgate gateway of this version.",
            "Look at SLIPGATE_URL, and compare versions.",
        ) from exc


def path_part(text: str) -> str:
    """An id as one segment of a path, so that it cannot be another path.

    Raises:
        CommandFailed: it holds what no id holds.
    """
    if not text or not all(
        letter.isascii() and (letter.isalnum() or letter in "_-") for letter in text
    ):
        raise CommandFailed(f"{text!r} is not an id.", "Take one from `slipgate tasks list`.")
    return text
