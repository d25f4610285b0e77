"""`POST …/test`: one signed webhook that is no delivery, sent to see what comes back."""

from collections.abc import Awaitable, Callable

import structlog

from gateway.domain.deliveries.endpoint import Endpoint
from gateway.loops.deliveries.message_builder import built
from gateway.loops.deliveries.post import Send, WebhookMessage, unsent
from gateway.store.records import DeliveryAttempt

log = structlog.get_logger(__name__)

BuildTest = Callable[[str, str, bytes], Awaitable[WebhookMessage]]
"""The message to an endpoint with this id and body; raises `CannotBuild`."""


class TestSender:
    """Sends as every delivery is sent: through the guard, with every live secret."""

    def __init__(self, build: BuildTest, send: Send, clock: Callable[[], int]) -> None:
        self._build = build
        self._send = send
        self._clock = clock

    async def send(self, endpoint: Endpoint, webhook_id: str, body: bytes) -> DeliveryAttempt:
        """The result of one webhook to an endpoint that has an address of its own.

        Raises:
            Unavailable: the store cannot be read just now: nothing was sent.
        """
        at = self._clock()
        message = await built(self._build(endpoint.id, webhook_id, body))
        if isinstance(message, WebhookMessage):
            outcome = await self._send(message)
        else:
            outcome = message or unsent("no_event")
        if outcome.error is not None:
            log.error("endpoint.test", endpoint=endpoint.id, exc_info=outcome.error)
        return DeliveryAttempt(
            at=at,
            trigger="manual",
            status=outcome.status,
            reason=outcome.reason,
            duration_ms=outcome.duration_ms,
            key_id=message.key_id if isinstance(message, WebhookMessage) else None,
            response_body=outcome.answer,
        )
