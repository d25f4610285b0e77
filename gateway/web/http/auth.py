"""API keys: looked up by their SHA-256, remembered for a moment, admitted by scope."""

import hashlib
from collections.abc import Awaitable, Callable
from functools import partial
from typing import Final

from starlette.requests import Request

from gateway.domain.kernel.errors import ApiError
from gateway.domain.operations.api_key import KEY, ApiKey
from gateway.web.http.admission import Admission
from gateway.web.http.headers import headers_of
from gateway.web.http.single_flight import SingleFlight
from gateway.wire.times import maybe_rfc3339

REMEMBER_MS: Final = 500
"""Milliseconds until a revoked key is refused, at the latest."""
MAX_KNOWN: Final = 10_000
ADDRESSES: Final = 1_024
"""Counters of running look-ups, shared by all addresses: a flood takes no more memory."""
PER_ADDRESS: Final = 32
"""Unknown keys that are looked up at a time for the callers of one counter."""


class Keys:
    """Looks keys up, and remembers those it found for a moment."""

    def __init__(
        self, find: Callable[[bytes], Awaitable[ApiKey | None]], clock: Callable[[], int]
    ) -> None:
        self._find = find
        self._clock = clock
        self._known: dict[bytes, tuple[ApiKey, int, int]] = {}
        """Each from when to when it may be used without a look-up (milliseconds)."""
        self.uses: dict[str, int] = {}
        """The last look-up (milliseconds) of each key; one that is used is looked up anew every
        `REMEMBER_MS`."""
        self._lookups = SingleFlight[bytes, ApiKey | None]()
        self._unknown = [0] * ADDRESSES

    async def of(self, authorization: str, address: str = "") -> ApiKey:
        """The key of an `Authorization: Bearer …` header from that address, or `unauthorized`
        or `key_expired`; `too_many_open` if too many unknown keys come from there."""
        scheme, _, text = authorization.partition(" ")
        digest = hashlib.sha256(text.encode()).digest()
        known = self._recent(digest, self._clock())
        if known is not None and scheme.lower() == "bearer":
            return known
        if scheme.lower() != "bearer" or not KEY.fullmatch(text):
            raise _unauthorized()
        return await self.of_digest(digest, address)

    async def of_digest(self, digest: bytes, address: str = "") -> ApiKey:
        """The key with this SHA-256, as `of`."""
        now = self._clock()
        known = self._recent(digest, now)
        if known is not None:
            return known
        key = await self._shared_lookup(digest, hash(address) % ADDRESSES)
        if key is None:
            raise _unauthorized()
        if key.has_expired(now):
            raise _expired(key)
        self.uses[key.id] = now
        if len(self._known) >= MAX_KNOWN:
            self._known.clear()
        end = now + REMEMBER_MS
        self._known[digest] = (key, now, min(end, key.expires_at or end))
        return key

    def _recent(self, digest: bytes, now: int) -> ApiKey | None:
        """The key, if it was found a moment ago; with a clock that was set back it was not."""
        known = self._known.get(digest)
        return known[0] if known is not None and known[1] <= now < known[2] else None

    async def _shared_lookup(self, digest: bytes, counter: int) -> ApiKey | None:
        if digest not in self._lookups:
            if digest not in self._known and self._unknown[counter] >= PER_ADDRESS:
                raise _too_many_unknown()
            self._unknown[counter] += 1
        return await self._lookups.run(digest, partial(self._look_up, digest, counter))

    async def _look_up(self, digest: bytes, counter: int) -> ApiKey | None:
        try:
            return await self._find(digest)
        finally:
            self._unknown[counter] -= 1


async def authorize(request: Request, scopes: frozenset[str]) -> ApiKey:
    """The key of the request, if it has one of these scopes and may have one more request open."""
    client = request.scope.get("client")
    address = client[0] if client else ""
    context = request.app.context
    keys: Keys = context.keys
    key = await keys.of(headers_of(request).get("authorization", ""), address)
    state = request.scope["state"]
    state["caller"] = key  # for its log line
    admission: Admission = context.admission
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


def _too_many_unknown() -> ApiError:
    return ApiError(
        "too_many_open",
        "Too many unknown API keys come from this address at once.",
        hint="Send the same request again after Retry-After.",
        retry_after=1,
    )


def _expired(key: ApiKey) -> ApiError:
    return ApiError(
        "key_expired",
        f"The API key has expired at {maybe_rfc3339(key.expires_at)}.",
        hint="Use another key; an operator creates one: `slipgate keys create` or POST /v1/keys.",
    )


def _unauthorized() -> ApiError:
    return ApiError(
        "unauthorized",
        "There is no valid API key in the Authorization header.",
        hint="Send 'Authorization: Bearer slip_…'; `slipgate keys create` makes keys.",
    )
