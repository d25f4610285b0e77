"""Trials: one signed webhook that is no delivery, sent to see what comes back."""

from collections.abc import Awaitable, Callable

import httpx

from gateway.domain.endpoint import Endpoint
from gateway.loops.outbox import CannotWrite
from gateway.loops.post import Letter, Outcome, post
from gateway.store.deliveries import DeliveryAttempt

WriteTrial = Callable[[str, str, bytes], Awaitable[Letter]]
"""The letter to an endpoint with this id and body; raises `CannotWrite`."""


class Trials:
    """Sends them as every delivery is sent: through the guard, with every live secret."""

    def __init__(
        self, write: WriteTrial, *, transport: httpx.AsyncBaseTransport, clock: Callable[[], int]
    ) -> None:
        self._write = write
        self._transport = transport
        self._clock = clock

    async def send(self, endpoint: Endpoint, webhook_id: str, body: bytes) -> DeliveryAttempt:
        """One webhook to an endpoint that has an address of its own; every failure is an answer."""
        at = self._clock()
        letter: Letter | None = None
        try:
            letter = await self._write(endpoint.id, webhook_id, body)
        except CannotWrite as error:
            outcome = Outcome(status=None, reason=error.reason, duration_ms=0)
        else:
            outcome = await post(self._transport, letter, clock=self._clock)
        return DeliveryAttempt(
            at=at,
            trigger="manual",
            status=outcome.status,
            reason=outcome.reason,
            duration_ms=outcome.duration_ms,
            key_id=letter.key_id if letter else None,
            response_body=outcome.answer,
        )
