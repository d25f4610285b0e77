"""The command line's HTTP client: it speaks to the gateway like everybody else."""

import os
import uuid
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import TypeVar

import httpx
import msgspec

from gateway.cli.output import CommandFailed
from gateway.cli.replies import Answer, EventPage, EventView, ProblemView, TaskView

A = TypeVar("A", bound=Answer)
Query = Mapping[str, str | int]

LONG_POLL = 20
"""Seconds a feed is asked to wait for news."""


class Client:
    """Calls of one command; every failure is a `CommandFailed` that says what to do."""

    def __init__(self, http: httpx.Client) -> None:
        self._http = http

    def get(self, path: str, **query: str | int) -> bytes:
        """The body of an answer."""
        return self._call("GET", path, query).content

    def post(self, path: str, body: object = None, *, key: str | None = None) -> bytes:
        """The body of an answer; the key makes a repeated call the same call."""
        headers = {"idempotency-key": key or str(uuid.uuid4())}
        content = None if body is None else msgspec.json.encode(body)
        return self._call("POST", path, {}, content, headers).content

    def read(self, made: type[A], path: str, **query: str | int) -> A:
        """An answer as a value."""
        return decode(made, self.get(path, **query))

    def task(self, task_id: str) -> TaskView:
        """One task."""
        return self.read(TaskView, f"/v1/tasks/{path_part(task_id)}")

    def follow(self, task_id: str, after: int = 0) -> Iterator[EventView]:
        """Its events as they come, until it has ended and all were given."""
        while True:
            is_over = self.task(task_id).is_over
            page = self.read(
                EventPage,
                f"/v1/tasks/{path_part(task_id)}/events",
                after=after,
                wait=0 if is_over else LONG_POLL,
                limit=200,
            )
            yield from page.data
            after = int(page.next_cursor)
            if is_over and not page.data:
                return

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
            raise CommandFailed(
                f"{self._http.base_url} does not answer ({type(exc).__name__}).",
                "Start it with `slipgate up`, or set SLIPGATE_URL to where it runs.",
            ) from exc
        if response.is_success:
            return response
        raise _refusal(response)


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
            "`slipgate keys create --scope tasks --name me` makes another.",
        )
    if not key.isascii() or not key.isprintable():
        raise CommandFailed(
            "SLIPGATE_API_KEY is not a key: it holds what no key holds.",
            "Copy it again, or make another by `slipgate keys create --scope tasks --name me`.",
        )
    if not url.startswith(("http://", "https://")):
        raise CommandFailed(
            "SLIPGATE_URL is not an http or https address.",
            "Set it, for example, to http://127.0.0.1:8700.",
        )
    with httpx.Client(
        base_url=url,
        headers={"authorization": f"Bearer {key}"},
        timeout=httpx.Timeout(15, read=LONG_POLL + 15),
        trust_env=False,
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


def _refusal(response: httpx.Response) -> CommandFailed:
    try:
        problem = msgspec.json.decode(response.content, type=ProblemView)
    except msgspec.MsgspecError:
        problem = ProblemView(detail=f"HTTP {response.status_code}")
    fields = "".join(f"\n  {error.path}: {error.message}" for error in problem.errors or ())
    return CommandFailed(
        f"{problem.code}: {problem.detail or problem.title}{fields}",
        problem.hint or _ADVICE.get(response.status_code, "See `slipgate tasks list`."),
    )


_ADVICE = {
    401: "SLIPGATE_API_KEY is not a key of this gateway: `slipgate keys list` shows what it has.",
    403: "This needs a key of another scope: `slipgate keys create --scope tasks --name me`.",
    404: "See `slipgate tasks list`; another project's tasks are not visible to this key.",
    422: "Correct the named fields and send it again.",
    503: "The gateway cannot store just now: try again in a moment.",
}
