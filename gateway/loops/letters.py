"""Letters: what a delivery needs from the store and the keyring before it can be sent."""

from collections.abc import Awaitable, Callable, Sequence
from typing import Final, Protocol

import msgspec

from gateway.domain import ids
from gateway.domain.delivery import PARK_AFTER, SUPERSEDED
from gateway.domain.event import Event
from gateway.domain.keyring import Keyring, UnknownKey, Unreadable
from gateway.domain.sealing import (
    Sealed,
    callback_secret_context,
    callback_url_context,
    endpoint_headers_context,
    endpoint_url_context,
    signing_secret_context,
)
from gateway.domain.spec import Spec
from gateway.domain.task import Task
from gateway.loops.deliver import CannotWrite, Head
from gateway.loops.post import Letter

Asked = tuple[Task, Spec]
"""A task as it stands now, with what was asked for."""
Render = Callable[[Event, Asked | None], Awaitable[bytes | None]]
"""The body of a webhook: the event, and the task it belongs to, if there is one. None: its receiver
does not know such an event, and gets nothing."""

_HEADERS: Final = msgspec.json.Decoder(dict[str, str])


class SealedCallback(Protocol):
    """A task's encrypted parts."""

    @property
    def callback_url(self) -> Sealed | None:
        """The sealed address."""


class Target(Protocol):
    """Where an endpoint's letters go."""

    @property
    def project(self) -> str:
        """Whose it is."""

    @property
    def is_implicit(self) -> bool:
        """Each task brings its own address."""

    @property
    def url(self) -> Sealed | None:
        """The sealed address."""

    @property
    def headers(self) -> Sealed | None:
        """A sealed JSON object."""


class LiveSecret(Protocol):
    """A secret that letters are signed with now."""

    @property
    def id(self) -> str:
        """What an attempt records."""

    @property
    def is_of_project(self) -> bool:
        """It is sealed to the row of its project."""

    @property
    def sealed(self) -> Sealed:
        """The secret."""


class LetterReads(Protocol):
    """What a letter is made of."""

    async def task(self, task_id: str) -> Asked | None:
        """A task with what was asked for."""

    async def events_of_task(self, task_id: str, *, after: int, limit: int) -> list[Event]:
        """Events of a task, or about an endpoint, after number `after`, oldest first."""

    async def has_newer(self, endpoint_id: str, task_id: str, task_seq: int, kind: str) -> bool:
        """Whether an event of the same type waits behind this one in its lane."""

    async def is_overtaken(self, endpoint_id: str, task_id: str, task_seq: int) -> bool:
        """Whether a later event of the task has been sent to the endpoint."""

    async def target(self, endpoint_id: str) -> Target | None:
        """Where the letters of an endpoint go."""

    async def secrets(self, task_id: str) -> SealedCallback | None:
        """A task's encrypted parts."""

    async def live_secrets(
        self, project: str, endpoint_id: str | None, now: int
    ) -> Sequence[LiveSecret]:
        """Those of an endpoint, or (None) of a project's callbacks; the newest first."""


class LetterWriter:
    """Writes the letter of a delivery; a body that was sent before stays as it was."""

    def __init__(
        self, reads: LetterReads, keyring: Keyring, render: Render, clock: Callable[[], int]
    ) -> None:
        self._reads = reads
        self._keyring = keyring
        self._render = render
        self._clock = clock

    async def write(self, head: Head) -> Letter | None:
        """The letter; None: there is nothing to tell, or something newer to tell instead.

        Raises:
            CannotWrite: its event, its address or its secret cannot be read.
        """
        event = await self._event(head)
        asked = None if event.is_about_endpoint else await self._asked(head)
        if await self._is_superseded(head, event):
            return None
        body = head.body.encode() if head.body else await self._render(event, asked)
        if body is None:
            return None
        traceparent = None if asked is None else asked[1].traceparent
        return await self._addressed(head, event, body, traceparent)

    async def trial(self, endpoint_id: str, webhook_id: str, body: bytes) -> Letter:
        """A letter about no event, to an endpoint with an address of its own.

        Raises:
            CannotWrite: its address or its secret cannot be read.
        """
        target, live = await self._addressee(endpoint_id)
        return Letter(
            webhook_id=webhook_id,
            url=self._text(target.url, endpoint_url_context(endpoint_id)),
            secrets=tuple(self._secret(target.project, secret) for secret in live),
            body=body,
            extra=self._extra(endpoint_id, target),
            key_id=live[0].id,
        )

    async def _event(self, head: Head) -> Event:
        events = await self._reads.events_of_task(head.task_id, after=head.seq - 1, limit=1)
        if not events or events[0].seq != head.seq:
            raise _not_kept()
        return events[0]

    async def _asked(self, head: Head) -> Asked:
        found = await self._reads.task(head.task_id)
        if found is None:
            raise _not_kept()
        return found

    async def _is_superseded(self, head: Head, event: Event) -> bool:
        # What somebody asked to have again is sent again.
        if event.type not in SUPERSEDED or head.attempts or head.trigger != "auto":
            return False
        return await self._reads.has_newer(
            head.endpoint_id, head.task_id, event.task_seq, event.type
        )

    async def _is_late(self, head: Head, event: Event) -> bool:
        """A replay, or the way through an endpoint that was disabled, begins the schedule anew:
        what was passed by before is behind its lane all the same."""
        if head.failures >= PARK_AFTER:
            return True
        if head.attempts < PARK_AFTER and head.trigger == "auto":
            return False
        return await self._reads.is_overtaken(head.endpoint_id, head.task_id, event.task_seq)

    async def _addressed(
        self, head: Head, event: Event, body: bytes, traceparent: str | None
    ) -> Letter:
        target, live = await self._addressee(head.endpoint_id)
        return Letter(
            webhook_id=ids.event_id(event.at, head.seq),
            url=await self._url(head, target),
            secrets=tuple(self._secret(target.project, secret) for secret in live),
            body=body,
            extra=self._extra(head.endpoint_id, target),
            key_id=live[0].id,
            is_late=await self._is_late(head, event),
            traceparent=traceparent,
        )

    async def _addressee(self, endpoint_id: str) -> tuple[Target, Sequence[LiveSecret]]:
        target = await self._reads.target(endpoint_id)
        if target is None:
            raise CannotWrite("no_address", "The endpoint is gone.")
        owner = None if target.is_implicit else endpoint_id
        live = await self._reads.live_secrets(target.project, owner, self._clock())
        if not live:
            raise CannotWrite("no_secret", "There is no secret to sign with.")
        return target, live

    async def _url(self, head: Head, target: Target) -> str:
        if not target.is_implicit:
            return self._text(target.url, endpoint_url_context(head.endpoint_id))
        kept = await self._reads.secrets(head.task_id)
        sealed = None if kept is None else kept.callback_url
        return self._text(sealed, callback_url_context(head.task_id))

    def _text(self, sealed: Sealed | None, context: str) -> str:
        if sealed is None:
            raise CannotWrite("no_address", "There is no address to send it to.")
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
            raise CannotWrite("sealed", detail) from exc
        except Unreadable as exc:
            raise CannotWrite("sealed", "A sealed value cannot be opened.") from exc


def _not_kept() -> CannotWrite:
    return CannotWrite("no_event", "The event is no longer kept.")
