"""Calls: one request, the form of its answer, and if it may be sent twice."""

import json
import time
import uuid
from collections.abc import Iterable, Mapping
from datetime import datetime
from types import UnionType
from typing import Any, Final, Generic, TypeVar, cast, get_args
from urllib.parse import quote

import msgspec

from gateway.wire.signing import secret_bytes, sign
from slipgate.errors import UnexpectedAnswer

T = TypeVar("T")

HEADERS: Final = {
    "idempotency_key": "Idempotency-Key",
    "traceparent": "traceparent",
}
"""Parameters of methods that are headers."""
PAYLOAD: Final = "payload"
"""The parameter that is the whole body."""
SENT_HEADERS: Final = "sent_headers"
"""The parameter with the headers of a delivery that is passed on."""
SIGNING_SECRET: Final = "signing_secret"  # noqa: S105 - the name of a parameter
"""The parameter whose value signs the request."""
REPEATABLE: Final = frozenset({"GET", "PUT", "PATCH", "DELETE"})
"""Methods that change nothing more when they are sent again."""


class Answer(msgspec.Struct, frozen=True, kw_only=True):
    """The answer of an HTTP server."""

    status: int
    headers: Mapping[str, str]
    """By lower-case name."""
    content: bytes

    @property
    def is_success(self) -> bool:
        return 200 <= self.status < 300


class NoAnswer(msgspec.Struct, frozen=True, kw_only=True):
    """A request that got no answer."""

    reason: str
    was_sent: bool
    """False: there was no connection, so nothing can have happened."""


class Call(msgspec.Struct, Generic[T], frozen=True, kw_only=True):
    """A request, and the type of its answer."""

    method: str
    path: str
    query: Mapping[str, str]
    headers: Mapping[str, str]
    content: bytes | None
    kind: object
    """The message type; `str` and `bytes` are the body as it is."""
    wait: float
    """Seconds that the gateway may take before it answers."""
    is_repeatable: bool

    def decode(self, answer: Answer) -> T:
        """The value of a success: of several message types, that of the first whose form it has.

        Raises:
            UnexpectedAnswer: it is none of a gateway of this version.
        """
        problem: Exception | None = None
        for kind in get_args(self.kind) if isinstance(self.kind, UnionType) else (self.kind,):
            try:
                return cast("T", _decoded(answer.content, kind))
            except (msgspec.MsgspecError, UnicodeDecodeError) as exc:
                problem = exc
        raise UnexpectedAnswer(
            f"{self.method} {self.path}: not the answer of a slipgate gateway of this version"
        ) from problem

    def at(self, name: str, place: str) -> "Call[T]":
        """The same call for another place of a list or a feed."""
        return msgspec.structs.replace(self, query={**self.query, name: place})


def make_call(
    method: str, path: str, kind: type[T], given: Mapping[str, Any], *, has_key: bool = False
) -> Call[T]:
    """The call of a method with these arguments: by name, parts of the path and headers; the others
    are the query of GET and DELETE, or the fields of a JSON body."""
    left = dict(given)
    segments = {name: quote(_text(left.pop(name)), safe="") for name in _names_in(path)}
    headers = {HEADERS[name]: str(left.pop(name)) for name in HEADERS if name in left}
    if has_key:
        headers.setdefault(HEADERS["idempotency_key"], str(uuid.uuid4()))
    secret, payload = left.pop(SIGNING_SECRET, None), left.pop(PAYLOAD, None)
    headers |= left.pop(SENT_HEADERS, {})
    is_read = method in {"GET", "DELETE"}
    query = dict(_query(left)) if is_read else {}
    fields = {_camel(name): value for name, value in left.items()} if not is_read else None
    content = _content(payload if payload is not None else fields)
    if content is not None:
        headers.setdefault("content-type", "application/json")
    if secret is not None:
        headers |= signed_headers(secret, content or b"")
    return Call(
        method=method,
        path=path.format(**segments),
        query=query,
        headers=headers,
        content=content,
        kind=kind,
        wait=float(left.get("wait", getattr(payload, "wait_seconds", 0))),
        is_repeatable=method in REPEATABLE or has_key or secret is not None,
    )


def _decoded(content: bytes, kind: Any) -> object:  # noqa: ANN401 - a type or an alias of one
    if kind is bytes:
        return content
    return content.decode() if kind is str else msgspec.json.decode(content, type=kind)


def signed_headers(secret: str, content: bytes) -> dict[str, str]:
    """The headers of Standard Webhooks for a message that is sent now."""
    message_id, now = f"msg_{uuid.uuid4().hex}", int(time.time())
    return {
        "webhook-id": message_id,
        "webhook-timestamp": str(now),
        "webhook-signature": sign(secret_bytes(secret), message_id, now, content),
    }


def _content(body: object) -> bytes | None:
    if body is None or isinstance(body, bytes):
        return body
    return msgspec.json.encode(body) if body != {} else None


def _names_in(path: str) -> list[str]:
    return [part[1:-1] for part in path.split("/") if part.startswith("{")]


def _query(fields: Mapping[str, Any]) -> Iterable[tuple[str, str]]:
    for name, value in fields.items():
        if isinstance(value, Mapping):
            yield from ((f"{name}.{key}", str(text)) for key, text in value.items())
        else:
            yield _camel(name), _text(value)


def _text(value: object) -> str:
    """A value in a URL: several are separated by commas."""
    if isinstance(value, str):
        return value
    if isinstance(value, datetime):
        return value.isoformat()
    if isinstance(value, Iterable):
        return ",".join(map(_text, value))
    return json.dumps(value)  # numbers, true and false


def _camel(name: str) -> str:
    """`repo_url` as `repoUrl`."""
    first, *others = name.strip("_").split("_")
    return first + "".join(word.capitalize() for word in others)
