"""The API of a model's provider, and the way to it that a program is given in its place."""

import re
from collections.abc import Iterable, Iterator, Mapping
from typing import Final, Literal

import httpx
import msgspec

from ...variables import Secret

KEY_HEADERS: Final = ("authorization", "x-api-key", "x-goog-api-key")
_OF_ONE_CONNECTION: Final = frozenset(
    {
        *("connection", "keep-alive", "proxy-connection", "proxy-authenticate"),
        *("proxy-authorization", "te", "trailer", "transfer-encoding", "upgrade"),
    }
)
_NOT_SENT: Final = frozenset(
    {*KEY_HEADERS, "host", "content-length", "expect", "cookie", "accept-encoding"}
)
_NOT_RETURNED: Final = frozenset({"set-cookie", "location", "alt-svc"})
_SEGMENT: Final = r"[A-Za-z0-9][A-Za-z0-9._-]*"
_PATHS: Final = {
    "POST": re.compile(
        r"(?:/v1)?/messages(?:/count_tokens)?|/responses(?:/compact)?|/chat/completions"
        rf"|/models/{_SEGMENT}:(?:generateContent|streamGenerateContent|countTokens)"
    ),
    "GET": re.compile(rf"(?:/v1)?/models(?:/{_SEGMENT}){{0,2}}"),
}
"""All that a program needs of a model: the account behind its key has files, logs and keys, too."""
_QUERY: Final = re.compile(r"[!-~]*")

Headers = list[tuple[str, str]]


class Access(msgspec.Struct, frozen=True, kw_only=True):
    """The model as a program reaches it: nobody learns the provider's key by that."""

    url: str
    """In the place of the provider's base URL."""
    token: str
    """In the place of its key."""


class Upstream(msgspec.Struct, frozen=True, kw_only=True):
    """The provider's own base URL and key."""

    url: str
    key: Secret
    header: Literal["authorization", "x-api-key", "x-goog-api-key"] = "authorization"
    """The header of the key; `authorization` holds it as a bearer token."""

    def target(self, method: str, path: str) -> str | None:
        """The provider's URL for a request; None: it is not one that a model needs."""
        path, mark, query = path.partition("?")
        allowed = _PATHS.get(method)
        if allowed is None or not allowed.fullmatch(path) or not _QUERY.fullmatch(query):
            return None
        base = httpx.URL(self.url)
        whole = f"{base.path.rstrip('/')}{path}{mark}{query}"
        return str(base.copy_with(raw_path=whole.encode()))

    def request_headers(self, received: Iterable[tuple[str, str]]) -> Headers:
        """The headers for the provider: with its key, and none of this connection's own."""
        kept = _end_to_end(list(received), _NOT_SENT)
        key = self.key.value
        given = (self.header, f"Bearer {key}" if self.header == "authorization" else key)
        # Only in a plain answer the key could be masked.
        return [*kept, ("accept-encoding", "identity"), given]

    def masked(self, pieces: Iterable[bytes]) -> Iterator[bytes]:
        """An answer without the key, as long as before: a server may show what it got in its
        errors. What could be the beginning of the key waits for the next piece."""
        key, held = self.key.value.encode(), b""
        for piece in pieces:
            text = (held + piece).replace(key, b"*" * len(key)) if key else piece
            tails = (text[-size:] for size in range(min(len(key) - 1, len(text)), 0, -1))
            held = next(filter(key.startswith, tails), b"")
            yield text[: len(text) - len(held)]
        yield held


def response_headers(received: Mapping[str, str]) -> Headers:
    """The headers of an answer, without those of the connection and of the provider's host."""
    return _end_to_end(list(received.items()), _NOT_RETURNED)


def _end_to_end(headers: Headers, dropped: frozenset[str]) -> Headers:
    lower = [(name.lower(), value) for name, value in headers]
    named = {
        each.strip().lower()
        for name, value in lower
        if name == "connection"
        for each in value.split(",")
    }
    gone = _OF_ONE_CONNECTION | dropped | named
    return [(name, value) for name, value in lower if name not in gone]
