"""The feed of a project, signed again and delivered to an app on this machine, without a tunnel."""

import itertools
import time
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from typing import Final

import httpx
import msgspec

from gateway.cli.console.output import CommandFailed
from gateway.cli.http.client import Client, EventPage, decode_events
from gateway.cli.http.errors import Rejected
from gateway.cli.http.feed import FEED
from gateway.cli.http.paths import task_path
from gateway.cli.webhook.progress import Progress, WebhookMessage
from gateway.cli.webhook.sending import send
from gateway.domain.deliveries.endpoint import USUAL
from gateway.domain.tasks.event import FACTS
from gateway.wire.message import Reply
from gateway.wire.tasks import EventView

RETRY_SECONDS: Final = (1, 2, 5, 10, 30)
"""The pauses between attempts; the last one repeats, while a developer corrects the handler."""
_KEPT_ANSWER: Final = 300
"""Characters."""
NEWEST: Final = "last"


_OF_NO_TASK: Final = msgspec.json.Decoder(dict[str, msgspec.Raw])
"""The data of an event about an endpoint or the installation."""


class ForwardAttempt(Reply, frozen=True, kw_only=True):
    """One request to the app, as `--json` prints it."""

    at: str
    id: str
    seq: int
    type: str
    task_id: str | None
    attempt: int
    answered: int | None
    reason: str | None
    """The reason of a failure; None: it was taken."""
    duration_ms: int
    retry_seconds: int | None
    answer: str


class Forwarder:
    """Delivers events in order: the next one waits until the one before it was taken."""

    def __init__(
        self,
        client: Client,
        app: httpx.Client,
        progress: Progress,
        address: str,
        keys: Sequence[bytes],
        *,
        show: Callable[[ForwardAttempt], None],
        clock: Callable[[], float] = time.time,
        sleep: Callable[[float], object] = time.sleep,
    ) -> None:
        self.last: WebhookMessage | None = None
        """The message that was sent last."""
        self._client = client
        self._app = app
        self._progress = progress
        self._address = address
        self._keys = tuple(keys)
        self._show = show
        self._clock = clock
        self._sleep = sleep

    def run(self, types: str | None) -> None:
        """Forwards until it is interrupted.

        Raises:
            CommandFailed: events were deleted before they were sent, or the app answered 410.
        """
        position = self._progress.position
        if position is not None and position.message is not None:
            self._deliver(position.message)
        for page in self._pages(types or ",".join(sorted(USUAL))):
            for raw, event in zip(page.data, decode_events(page), strict=True):
                if event.applied:
                    message = message_of(self._client, raw, event)
                    self._progress.send(message)
                    self._deliver(message)
            self._progress.advance(int(page.next_cursor or 0))

    def _pages(self, types: str) -> Iterator[EventPage]:
        after = self._progress.position.after if self._progress.position else 0
        try:
            # To begin with the oldest event that is kept, no cursor is sent: none can be expired.
            yield from self._client.feed(FEED, None, after or None, types=types)
        except Rejected as exc:
            if exc.code != "cursor_expired":
                raise
            raise CommandFailed(
                f"cursor_expired: events behind {after} were deleted with their tasks, a while "
                "after those had ended, before they could be forwarded.",
                "Go on with --after 0 (the oldest event that is kept) or --after now; the deleted "
                "events cannot be had again.",
            ) from exc

    def resend(self) -> None:
        """Sends the last message once more, whatever became of it; from any thread."""
        if self.last is not None:
            again = self._attempt(self.last, 1)
            self._show(msgspec.structs.replace(again, retry_seconds=None))

    def _deliver(self, message: WebhookMessage) -> None:
        self.last = message
        for number in itertools.count(1):
            attempt = self._attempt(message, number)
            if attempt.reason is None:
                self._progress.taken(message)
            self._show(attempt)
            if attempt.reason is None:
                return
            if attempt.retry_seconds is None:
                raise CommandFailed(
                    "The app answered 410: a gateway disables such an endpoint, and sends it "
                    "no more.",
                    "Answer 2xx to what is taken. Started again, this goes on with the same event; "
                    "with --after now, behind it.",
                )
            self._sleep(attempt.retry_seconds)

    def _attempt(self, message: WebhookMessage, number: int) -> ForwardAttempt:
        answered = send(
            self._app,
            self._address,
            self._keys,
            message_id=message.id,
            body=message.body.encode(),
            now=self._clock(),
        )
        reason = answered.reason
        wait = RETRY_SECONDS[min(number, len(RETRY_SECONDS)) - 1]
        return ForwardAttempt(
            at=time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(self._clock())),
            id=message.id,
            seq=message.seq,
            type=message.type,
            task_id=message.task_id,
            attempt=number,
            answered=answered.status,
            reason=reason,
            duration_ms=answered.duration_ms,
            retry_seconds=None if reason is None or answered.status == 410 else wait,
            answer=answered.text[:_KEPT_ANSWER],
        )


def message_of(client: Client, raw: msgspec.Raw, event: EventView) -> WebhookMessage:
    """The message of an event; its parts stay byte for byte as the gateway shows them."""
    data: object
    if event.type not in FACTS:
        data = event.data
    elif event.task_id is None:
        data = {"event": raw, **_OF_NO_TASK.decode(event.data)}
    else:
        read = partial(client.get, task_path(event.task_id))
        data = {"event": raw, "task": msgspec.Raw(client.retrying(read))}
    body = msgspec.json.encode({"type": event.type, "timestamp": event.at, "data": data})
    return WebhookMessage(
        seq=event.seq, id=event.id, type=event.type, task_id=event.task_id, body=body.decode()
    )


def find_message(client: Client, event_id: str) -> WebhookMessage:
    """The message of a stored event; the newest one is `last`.

    Raises:
        CommandFailed: there is none.
    """
    after: str | None = None
    newest: tuple[msgspec.Raw, EventView] | None = None
    while True:
        page = client.read(EventPage, FEED, types="*", limit=200, after=after)
        for raw, event in zip(page.data, decode_events(page), strict=True):
            newest = raw, event
            if event.id == event_id:
                return message_of(client, raw, event)
        after = page.next_cursor
        if not page.data:
            break
    if newest is not None and event_id == NEWEST:
        return message_of(client, *newest)
    raise CommandFailed(
        f"There is no event {event_id} in the feed of this key.",
        f"`slipgate tasks events --after=0` lists them; `{NEWEST}` is the newest one.",
    )


def is_same_feed(client: Client, last: tuple[int, str]) -> bool:
    """True if the event that was taken last comes from this feed."""
    seq, event_id = last
    try:
        page = client.read(EventPage, FEED, types="*", limit=1, after=seq - 1)
    except Rejected as exc:
        if exc.code != "cursor_expired":
            raise
        return True  # the event was deleted; the feed itself will say that the cursor is expired
    events = decode_events(page)
    return bool(events) and (events[0].seq != seq or events[0].id == event_id)
