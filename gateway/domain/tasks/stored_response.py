"""The same `Idempotency-Key` and request get the first answer."""

import hmac

from gateway.domain.kernel.errors import ApiError
from gateway.domain.kernel.read_set import Idempotency
from gateway.domain.kernel.unit_of_work import FirstAnswer, IdempotencyRecord, UnitOfWork


def stored_response(unit: UnitOfWork, idempotency: Idempotency | None) -> FirstAnswer | None:
    """The answer to an earlier request with this key.

    Raises:
        ApiError: `idempotency_mismatch`, the key came with another request.
    """
    if idempotency is None or idempotency.key not in unit.remembered:
        return None
    first = unit.remembered[idempotency.key]
    # With the master key its hash is gone too; then the key alone says that it is the same request.
    digest = idempotency.digests.get(first.key_id, first.digest)
    if not hmac.compare_digest(first.digest, digest):
        raise ApiError(
            "idempotency_mismatch",
            "This Idempotency-Key was used with another request.",
            hint="Use a new key for a new request.",
        )
    return first.answer


def store_response(
    unit: UnitOfWork, idempotency: Idempotency | None, answer: FirstAnswer, now: int
) -> None:
    """Keeps the answer for whoever asks again with the same key."""
    if idempotency is None:
        return
    kept = IdempotencyRecord(
        key=idempotency.key,
        key_id=idempotency.current,
        digest=idempotency.digests[idempotency.current],
        answer=answer,
        at=now,
    )
    unit.remembered[kept.key] = kept
    unit.new_remembered.append(kept)
