"""Trials: one signed webhook that is no delivery, sent to see what comes back."""

from collections.abc import Awaitable, Callable

import httpx
import structlog

from gateway.domain.deliveries.endpoint import Endpoint
from gateway.loops.deliveries.message_builder import written
from gateway.loops.deliveries.post import WebhookMessage, post, unsent
from gateway.store.sqlite.deliveries import DeliveryAttempt

log = structlog.get_logger(__name__)

WriteTrial = Callable[[str, str, bytes], Awaitable[WebhookMessage]]
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
        letter = await written(self._write(endpoint.id, webhook_id, body))
        if isinstance(letter, WebhookMessage):
            outcome = await post(self._transport, letter, clock=self._clock)
        else:
            outcome = letter or unsent("no_event")
        if outcome.error is not None:
            log.error("endpoint.test", endpoint=endpoint.id, exc_info=outcome.error)
        return DeliveryAttempt(
            at=at,
            trigger="manual",
            status=outcome.status,
            reason=outcome.reason,
            duration_ms=outcome.duration_ms,
            key_id=letter.key_id if isinstance(letter, WebhookMessage) else None,
            response_body=outcome.answer,
        )
