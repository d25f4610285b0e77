"""An `Idempotency-Key`: what was asked with it."""

from gateway.domain.tasks.task import Frozen

IdempotencyKey = tuple[str, str, str]
"""(project, method and path, key)."""


class Idempotency(Frozen, frozen=True, kw_only=True):
    """An `Idempotency-Key` and what was asked with it, as keyed hashes by master key id."""

    key: IdempotencyKey
    digests: dict[str, bytes]
    current: str
    """The id of the key whose digest is stored."""
