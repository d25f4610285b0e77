"""Letters: what a delivery needs from the store and the keyring before it can be sent."""

from collections.abc import Awaitable, Callable
from typing import Protocol

from gateway.domain import ids
from gateway.domain.delivery import PARK_AFTER
from gateway.domain.event import Event
from gateway.domain.keyring import Keyring, UnknownKey, Unreadable
from gateway.domain.sealing import Sealed, callback_secret_context, callback_url_context
from gateway.domain.spec import Spec
from gateway.domain.task import Task
from gateway.loops.deliver import CannotWrite, Head
from gateway.loops.post import Letter

Render = Callable[[Event, Task, Spec], Awaitable[bytes | None]]
"""The body of a webhook: the event, and the task as it stands now. None: its receiver does not
know such an event, and gets nothing."""


class SealedCallback(Protocol):
    """A task's encrypted parts."""

    @property
    def callback_url(self) -> Sealed | None:
        """The sealed address."""


class LetterReads(Protocol):
    """What a letter is made of."""

    async def task(self, task_id: str) -> tuple[Task, Spec] | None:
        """A task with what was asked for."""

    async def events_of_task(self, task_id: str, *, after: int, limit: int) -> list[Event]:
        """Its events after number `after`, oldest first."""

    async def secrets(self, task_id: str) -> SealedCallback | None:
        """Its encrypted parts."""

    async def callback_secret(self, project: str) -> tuple[str, bytes] | None:
        """Key id and sealed callback secret of a project."""


class LetterWriter:
    """Writes the letter of a delivery; a body that was sent before stays as it was."""

    def __init__(self, reads: LetterReads, keyring: Keyring, render: Render) -> None:
        self._reads = reads
        self._keyring = keyring
        self._render = render

    async def write(self, head: Head) -> Letter | None:
        """The letter; None: there is nothing to tell.

        Raises:
            CannotWrite: its event, its address or its secret cannot be read.
        """
        found = await self._reads.task(head.task_id)
        events = await self._reads.events_of_task(head.task_id, after=head.seq - 1, limit=1)
        if found is None or not events or events[0].seq != head.seq:
            raise CannotWrite("the event is no longer kept")
        task, spec = found
        body = head.body.encode() if head.body else await self._render(events[0], task, spec)
        if body is None:
            return None
        key_id, secret = await self._secret(task.project)
        return Letter(
            webhook_id=ids.event_id(events[0].at, head.seq),
            url=await self._address(task.id),
            secrets=(secret,),
            body=body,
            key_id=key_id,
            is_late=head.failures >= PARK_AFTER,
            traceparent=spec.traceparent,
        )

    async def _address(self, task_id: str) -> str:
        kept = await self._reads.secrets(task_id)
        if kept is None or kept.callback_url is None:
            raise CannotWrite("the task has no callback address")
        return self._open(kept.callback_url, callback_url_context(task_id)).decode()

    async def _secret(self, project: str) -> tuple[str, bytes]:
        kept = await self._reads.callback_secret(project)
        if kept is None:
            raise CannotWrite("the project has no callback secret: create a tasks key for it")
        key_id, box = kept
        sealed = Sealed(key_id=key_id, box=box)
        return key_id, self._open(sealed, callback_secret_context(project))

    def _open(self, sealed: Sealed, context: str) -> bytes:
        try:
            return self._keyring.open(sealed, context=context)
        except UnknownKey as exc:
            raise CannotWrite(f"master key {sealed.key_id} is no longer given") from exc
        except Unreadable as exc:
            raise CannotWrite("a sealed value cannot be opened") from exc
