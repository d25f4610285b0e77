"""Stored responses: a repeated request with the same `Idempotency-Key` gets the first one."""

import hmac

from gateway.domain.kernel.errors import ApiError
from gateway.domain.kernel.read_set import Idempotency
from gateway.domain.kernel.unit_of_work import IdempotencyRecord, StoredResponse, UnitOfWork


def stored_response(unit: UnitOfWork, idempotency: Idempotency | None) -> StoredResponse | None:
    """The response to an earlier request with this key.

    Raises:
        ApiError: `idempotency_mismatch`, the key came with another request.
    """
    if idempotency is None or idempotency.key not in unit.idempotency:
        return None
    first = unit.idempotency[idempotency.key]
    # Without its master key the digest cannot be computed: then the key alone must suffice.
    digest = idempotency.digests.get(first.key_id, first.digest)
    if not hmac.compare_digest(first.digest, digest):
        raise ApiError(
            "idempotency_mismatch",
            "This Idempotency-Key was used with another request.",
            hint="Use a new key for a new request.",
        )
    return first.answer


def store_response(
    unit: UnitOfWork, idempotency: Idempotency | None, answer: StoredResponse, now: int
) -> None:
    if idempotency is None:
        return
    record = IdempotencyRecord(
        key=idempotency.key,
        key_id=idempotency.current,
        digest=idempotency.digests[idempotency.current],
        answer=answer,
        at=now,
    )
    unit.idempotency.put(record)
