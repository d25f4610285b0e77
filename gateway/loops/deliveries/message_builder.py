"""Builds the message of a delivery from the store and the keyring."""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Final

import msgspec

from gateway.domain.deliveries.delivery import PARK_AFTER, SUPERSEDED
from gateway.domain.deliveries.endpoint import Format
from gateway.domain.deliveries.outbox import DeliveryKey
from gateway.domain.kernel import ids
from gateway.domain.kernel.errors import Unavailable
from gateway.domain.kernel.keyring import Keyring, UnknownKey, Unreadable
from gateway.domain.kernel.sealing import (
    Sealed,
    callback_secret_context,
    callback_url_context,
    endpoint_headers_context,
    endpoint_url_context,
    signing_secret_context,
)
from gateway.domain.kernel.unit_of_work import UnitOfWork
from gateway.domain.tasks.event import Event
from gateway.domain.tasks.task import Frozen
from gateway.loops.deliveries.handover import NewLaneHead
from gateway.loops.deliveries.post import (
    BROKEN,
    Outcome,
    WebhookMessage,
    unsent,
)
from gateway.store.batch_loader import BatchLoader
from gateway.store.loop_reads import MessageReads
from gateway.store.records import (
    DeliveryContext,
    Head,
    LiveSecret,
    SecretOwner,
    Target,
    TaskWithSpec,
)

Render = Callable[[Event, TaskWithSpec | None, Format], Awaitable[bytes | None]]
"""The body of a webhook: the event, the task it belongs to, if there is one, and the endpoint's
format. None: its receiver does not know such an event, and gets nothing."""

Build = Callable[[Head], "Awaitable[WebhookMessage | None]"]
"""The message of a delivery, None if its receiver gets none; raises `CannotBuild`."""

KEPT_FOR: Final = 1_000
"""Milliseconds for which a secret may sign after its end: nothing else changes without a commit,
and the next commit of this gateway sees those of the others."""
_HEADERS: Final = msgspec.json.Decoder(dict[str, str])


class CannotBuild(Exception):
    """A delivery has no message: its address or its secret cannot be read."""

    def __init__(self, reason: str, detail: str) -> None:
        super().__init__(detail)
        self.reason: Final = reason
        """A stable word."""


class _Sender(Frozen, frozen=True, kw_only=True):
    """The address of an endpoint and the secrets that sign for it, as they were at a time
    (milliseconds)."""

    at: int
    target: Target
    secrets: tuple[LiveSecret, ...]


class MessageBuilder:
    """Builds the message of a delivery; a body that was sent before stays as it was."""

    def __init__(
        self,
        reads: MessageReads,
        keyring: Keyring,
        render: Render,
        clock: Callable[[], int],
    ) -> None:
        self._reads = reads
        self._keyring = keyring
        self._render = render
        self._clock = clock
        self._contexts = BatchLoader(self._read_contexts)
        self._senders: dict[SecretOwner, _Sender] = {}
        """The newest of each owner."""

    async def build(self, head: Head) -> WebhookMessage | None:
        """The message; None if there is nothing to send, or a newer event to send instead.

        Raises:
            CannotBuild: its event, its address or its secret cannot be read.
        """
        found = self._known(head) or await self._contexts.load((head.endpoint_id, head.seq))
        if found is None or (found.asked is None and found.event.is_of_task):
            raise CannotBuild("no_event", "The event is no longer kept.")
        if _is_superseded(head, found):
            return None
        body = found.body or await self._render(found.event, found.asked, found.target.format)
        if body is None:
            return None
        return WebhookMessage(
            webhook_id=ids.event_id(found.event.at, head.seq),
            url=self._url(head, found),
            secrets=self._keys(found.target.project, found.secrets),
            body=body,
            project=head.project,
            is_kept=found.body is not None,
            extra=self._extra(head.endpoint_id, found.target),
            key_id=found.secrets[0].id,
            is_late=await self._is_late(head),
            traceparent=None if found.asked is None else found.asked[1].traceparent,
        )

    async def build_test(self, endpoint_id: str, webhook_id: str, body: bytes) -> WebhookMessage:
        """A message about no event, to an endpoint with an address of its own.

        Raises:
            CannotBuild: its address or its secret cannot be read.
        """
        target = await self._reads.target(endpoint_id)
        if target is None:
            raise CannotBuild("no_address", "The endpoint is gone.")
        owner = (target.project, endpoint_id)
        live = (await self._reads.live_secrets([owner], self._clock()))[owner]
        return WebhookMessage(
            webhook_id=webhook_id,
            url=self._text(target.url, endpoint_url_context(endpoint_id)),
            secrets=self._keys(target.project, live),
            body=body,
            project=target.project,
            extra=self._extra(endpoint_id, target),
            key_id=live[0].id,
        )

    def follow(self, unit: UnitOfWork) -> None:
        """Forget addresses and secrets that a commit may have changed."""
        if unit.outbox.is_signing_changed or unit.outbox.is_read_anew:
            self._senders = {}

    def _known(self, head: Head) -> DeliveryContext | None:
        """The context of a delivery that was handed over, if its sender was read lately."""
        if not isinstance(head, NewLaneHead):
            return None
        sender = self._senders.get((head.project, None if head.is_implicit else head.endpoint_id))
        if sender is None or not 0 <= self._clock() - sender.at < KEPT_FOR:
            return None
        return DeliveryContext(
            event=head.event,
            asked=head.asked,
            target=sender.target,
            callback_url=head.callback_url,
            has_newer=False,
            body=None,
            secrets=sender.secrets,
        )

    async def _read_contexts(
        self, keys: Sequence[DeliveryKey]
    ) -> Mapping[DeliveryKey, DeliveryContext]:
        # What is read before a change must not be kept after it.
        senders, at = self._senders, self._clock()
        found = await self._reads.delivery_contexts(keys, at)
        for (endpoint_id, _), each in found.items():
            owner = (each.target.project, None if each.target.is_implicit else endpoint_id)
            senders[owner] = _Sender(at=at, target=each.target, secrets=each.secrets)
        return found

    async def _is_late(self, head: Head) -> bool:
        """A replay begins the schedule anew: what was passed by before is behind its lane all the
        same."""
        if head.failures >= PARK_AFTER:
            return True
        if head.attempts < PARK_AFTER and head.trigger == "auto":
            return False
        return await self._reads.is_overtaken(head.endpoint_id, head.task_id, head.seq)

    def _url(self, head: Head, found: DeliveryContext) -> str:
        if found.target.is_implicit:
            return self._text(found.callback_url, callback_url_context(head.task_id))
        return self._text(found.target.url, endpoint_url_context(head.endpoint_id))

    def _keys(self, project: str, live: Sequence[LiveSecret]) -> tuple[bytes, ...]:
        if not live:
            raise CannotBuild("no_secret", "There is no secret to sign with.")
        return tuple(self._secret(project, secret) for secret in live)

    def _text(self, sealed: Sealed | None, context: str) -> str:
        if sealed is None:
            raise CannotBuild("no_address", "There is no address to send it to.")
        return self._open(sealed, context).decode()

    def _extra(self, endpoint_id: str, target: Target) -> dict[str, str]:
        if target.headers is None:
            return {}
        return _HEADERS.decode(self._open(target.headers, endpoint_headers_context(endpoint_id)))

    def _secret(self, project: str, secret: LiveSecret) -> bytes:
        context = (
            callback_secret_context(project)
            if secret.is_of_project
            else signing_secret_context(secret.id)
        )
        return self._open(secret.sealed, context)

    def _open(self, sealed: Sealed, context: str) -> bytes:
        try:
            return self._keyring.open(sealed, context=context)
        except UnknownKey as exc:
            detail = f"Master key {sealed.key_id} is no longer given."
            raise CannotBuild("sealed", detail) from exc
        except Unreadable as exc:
            raise CannotBuild("unreadable", "A sealed value cannot be opened.") from exc


async def built(building: Awaitable[WebhookMessage | None]) -> WebhookMessage | Outcome | None:
    """The message, or the outcome of an attempt that ended before there was one.

    Raises:
        Unavailable: the store cannot be read just now: that is no attempt.
    """
    try:
        return await building
    except CannotBuild as error:
        return unsent(error.reason, detail=str(error))
    except Unavailable:
        raise
    except Exception as error:  # noqa: BLE001 - the top of an attempt: its caller logs it
        return unsent(BROKEN, error=error)


def _is_superseded(head: Head, found: DeliveryContext) -> bool:
    # What somebody asked to have again is sent again.
    is_new = head.attempts == 0 and head.trigger == "auto"
    return is_new and found.event.type in SUPERSEDED and found.has_newer
