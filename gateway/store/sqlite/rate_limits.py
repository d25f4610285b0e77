"""The rate limit of a key as its column holds it."""

from typing import Final

import msgspec

from gateway.domain.operations.rate_limit import RateLimit

_STORED: Final = msgspec.json.Decoder(RateLimit)


def read_rate_limit(text: str | None) -> RateLimit:
    """The rate limit of a column."""
    return _STORED.decode(text) if text else RateLimit()


def written_rate_limit(limit: RateLimit) -> str | None:
    """The column of a rate limit; None: nothing beside the defaults."""
    return None if limit == RateLimit() else msgspec.json.encode(limit).decode()
