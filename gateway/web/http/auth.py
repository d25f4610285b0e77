"""Who asks: API keys, known by their SHA-256 alone."""

import asyncio
import hashlib
import re
from collections.abc import Awaitable, Callable
from typing import Final

from starlette.requests import Request

from gateway.domain.kernel.errors import ApiError
from gateway.store.records import ApiKey
from gateway.web.http.admission import Admission
from gateway.web.http.headers import headers_of

_KEY: Final = re.compile(r"slip_(tasks|read|launcher|ops)_[A-Za-z0-9_-]{43}")
REMEMBER_MS: Final = 500
"""A revoked key is refused at the latest after so long."""
MAX_REMEMBERED: Final = 10_000
ADDRESSES: Final = 1_024
"""Counters of the look-ups under way, shared by all addresses: the memory of a flood is constant.
"""
PER_ADDRESS: Final = 32
"""Keys that nobody has shown yet, looked up at a time for the callers of one counter."""

TASKS: Final = frozenset({"tasks", "ops"})
READ: Final = frozenset({"tasks", "read", "ops"})
LAUNCHER: Final = frozenset({"launcher", "ops"})
OPS: Final = frozenset({"ops"})
METRICS: Final = frozenset({"read", "ops"})


class Keys:
    """Looks keys up, and remembers the answer for a moment."""

    def __init__(
        self, find: Callable[[bytes], Awaitable[ApiKey | None]], clock: Callable[[], int]
    ) -> None:
        self._find = find
        self._clock = clock
        self._known: dict[bytes, tuple[ApiKey, int]] = {}
        self._asking: dict[bytes, asyncio.Task[ApiKey | None]] = {}
        self._strangers = [0] * ADDRESSES

    async def of(self, authorization: str, address: str = "") -> ApiKey:
        """The key of an `Authorization: Bearer …` header from that address.

        Raises:
            ApiError: `unauthorized`; `too_many_open`, if too many unknown keys come from there.
        """
        scheme, _, text = authorization.partition(" ")
        digest = hashlib.sha256(text.encode()).digest()
        now = self._clock()
        known = self._known.get(digest)
        if known is not None and known[1] > now and scheme.lower() == "bearer":
            return known[0]
        if scheme.lower() != "bearer" or not _KEY.fullmatch(text):
            raise _unauthorized()
        key = await self._ask(digest, hash(address) % ADDRESSES)
        if key is None:
            raise _unauthorized()
        if len(self._known) >= MAX_REMEMBERED:
            self._known.clear()
        self._known[digest] = (key, now + REMEMBER_MS)
        return key

    async def _ask(self, digest: bytes, counter: int) -> ApiKey | None:
        """One look for everybody who waits for the same key; none of them can cancel it."""
        asking = self._asking.get(digest)
        if asking is None:
            if digest not in self._known and self._strangers[counter] >= PER_ADDRESS:
                raise _too_many_strangers()
            asking = self._asking[digest] = asyncio.ensure_future(self._find(digest))
            self._strangers[counter] += 1
            asking.add_done_callback(lambda _: self._answered(digest, counter))
        return await asyncio.shield(asking)

    def _answered(self, digest: bytes, counter: int) -> None:
        del self._asking[digest]
        self._strangers[counter] -= 1


async def authorize(request: Request, keys: Keys, scopes: frozenset[str]) -> ApiKey:
    """The key of the request, if one of these scopes is its own and it may have one more open.

    Raises:
        ApiError: `unauthorized`, `forbidden`, `rate_limited` or `too_many_open`.
        Unavailable: all places are taken.
    """
    client = request.scope.get("client")
    address = client[0] if client else ""
    key = await keys.of(headers_of(request).get("authorization", ""), address)
    state = request.scope["state"]
    state["asker"] = key  # for its line in the log
    admission: Admission = request.app.context.admission
    admission.enter(state, key)
    if key.scope not in scopes:
        raise ApiError(
            "forbidden",
            f"A key of scope '{key.scope}' may not do this.",
            hint=f"Use a key of scope {' or '.join(sorted(scopes))}.",
        )
    return key


def served_by(key: ApiKey) -> str:
    """The project that a launcher with this key serves; empty: all."""
    return "" if key.scope == "ops" or key.all_projects else key.project


def project_of(key: ApiKey) -> str | None:
    """The project the key is bound to; None is every project."""
    return None if key.scope == "ops" else key.project


def _too_many_strangers() -> ApiError:
    return ApiError(
        "too_many_open",
        "Too many unknown API keys come from this address at once.",
        hint="Send the same request again after Retry-After.",
        retry_after=1,
    )


def _unauthorized() -> ApiError:
    return ApiError(
        "unauthorized",
        "There is no valid API key in the Authorization header.",
        hint="Send 'Authorization: Bearer slip_…'; `slipgate keys create` makes keys.",
    )
