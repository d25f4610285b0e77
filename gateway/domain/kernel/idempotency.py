"""Idempotency: a repeated request with the same `Idempotency-Key` gets the first response."""

import hmac

from gateway.domain.deliveries.commands import (
    EndpointReply,
    PostAllReply,
    PostReply,
    ReplayReply,
)
from gateway.domain.kernel.errors import ApiError
from gateway.domain.kernel.part import Rows
from gateway.domain.kernel.read_set import Idempotency, IdempotencyKey
from gateway.domain.operations.bulk import BulkReply
from gateway.domain.tasks.task import Frozen, Task

StoredResponse = Task | EndpointReply | ReplayReply | BulkReply | PostReply | PostAllReply


class IdempotencyRecord(Frozen, frozen=True, kw_only=True):
    """The first response to an `Idempotency-Key`."""

    key: IdempotencyKey
    key_id: str
    digest: bytes
    answer: StoredResponse
    at: int


class StoredResponses(Rows[IdempotencyKey, IdempotencyRecord]):
    """The responses to earlier requests, by their `Idempotency-Key`."""

    def __init__(self) -> None:
        super().__init__(lambda record: record.key)

    def first(self, idempotency: Idempotency | None) -> StoredResponse | None:
        """The response to an earlier request with this key.

        Raises:
            ApiError: `idempotency_mismatch`, the key came with another request.
        """
        if idempotency is None or idempotency.key not in self:
            return None
        first = self[idempotency.key]
        # Without its master key the digest cannot be computed: then the key alone must suffice.
        digest = idempotency.digests.get(first.key_id, first.digest)
        if not hmac.compare_digest(first.digest, digest):
            raise ApiError(
                "idempotency_mismatch",
                "This Idempotency-Key was used with another request.",
                hint="Use a new key for a new request.",
            )
        return first.answer

    def store(self, idempotency: Idempotency | None, answer: StoredResponse, now: int) -> None:
        """Stores the response, if the request has a key."""
        if idempotency is None:
            return
        record = IdempotencyRecord(
            key=idempotency.key,
            key_id=idempotency.current,
            digest=idempotency.digests[idempotency.current],
            answer=answer,
            at=now,
        )
        self.put(record)
