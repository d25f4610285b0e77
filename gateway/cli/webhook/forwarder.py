"""A project's feed, signed again and handed to an app on this machine: nobody needs a tunnel."""

import itertools
import time
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from typing import Final

import httpx
import msgspec

from gateway.cli.console.output import CommandFailed
from gateway.cli.http.client import Client, path_part
from gateway.cli.http.errors import Denied
from gateway.cli.http.replies import Answer, EventView, FeedPage
from gateway.cli.webhook.progress import Progress, WebhookMessage
from gateway.domain.deliveries.endpoint import USUAL
from gateway.loops.deliveries.post import WebhookMessage as Post
from gateway.loops.deliveries.post import headers
from gateway.loops.egress.address_guard import is_tls

FEED: Final = "/v1/events"
RETRY_SECONDS: Final = (1, 2, 5, 10, 30)
"""Whoever writes a handler mends it meanwhile; the last one comes again and again."""
TIME_LIMIT: Final = 15.0
"""Seconds for an answer, as the gateway bears it."""
_KEPT_ANSWER: Final = 300
_RARE: Final = "sandbox.released"
"""Whoever looks for the end of the feed wants none of its events."""


class Notice(Answer, frozen=True, kw_only=True):
    """The body of a webhook, from what the gateway shows byte for byte."""

    type: str
    timestamp: str
    data: "NoticeData"


class NoticeData(Answer, frozen=True, kw_only=True):
    """The event, and the task as it stands when this is written, or the endpoint it is about."""

    event: msgspec.Raw
    task: msgspec.Raw | msgspec.UnsetType = msgspec.UNSET
    endpoint: msgspec.Raw | msgspec.UnsetType = msgspec.UNSET


class AboutEndpoint(Answer, frozen=True, kw_only=True):
    """The data of an event that belongs to no task."""

    endpoint: msgspec.Raw


class Attempt(Answer, frozen=True, kw_only=True):
    """One request to the app, as `--json` shows it."""

    at: str
    id: str
    seq: int
    type: str
    task_id: str | None
    attempt: int
    answered: int | None
    reason: str | None
    """Why it was not taken; None: it was."""
    duration_ms: int
    retry_seconds: int | None
    answer: str


class Forwarder:
    """Delivers in order; the next event waits until the one before it was taken."""

    def __init__(
        self,
        client: Client,
        app: httpx.Client,
        progress: Progress,
        address: str,
        keys: Sequence[bytes],
        *,
        tell: Callable[[Attempt], None],
        clock: Callable[[], float] = time.time,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self._client = client
        self._app = app
        self._progress = progress
        self._address = address
        self._keys = tuple(keys)
        self._tell = tell
        self._clock = clock
        self._sleep = sleep

    def run(self, types: str | None) -> None:
        """Until it is interrupted.

        Raises:
            CommandFailed: events were deleted before they were sent; the app is gone for good.
        """
        reached = self._progress.reached
        if reached is not None and reached.letter is not None:
            self._deliver(reached.letter)
        for page in self._pages(types or ",".join(sorted(USUAL))):
            for raw, event in zip(page.data, page.events, strict=True):
                if event.applied:
                    self._deliver(self._letter(raw, event))
            self._progress.pass_to(int(page.next_cursor))

    def _pages(self, types: str) -> Iterator[FeedPage]:
        after = self._progress.reached.after if self._progress.reached else 0
        try:
            # Who begins with the oldest event that is kept has missed nothing.
            yield from self._client.feed(FEED, None, after or None, types=types)
        except Denied as denied:
            if denied.code != "cursor_expired":
                raise
            raise CommandFailed(
                f"cursor_expired: events behind {after} were deleted with their tasks, a while "
                "after those had ended, before they could be forwarded.",
                "How the tasks ended is gone with them; go on with --after 0 (the oldest that is "
                "kept) or --after now.",
            ) from denied

    def _letter(self, raw: msgspec.Raw, event: EventView) -> WebhookMessage:
        data = self._notice(raw, event)
        body = msgspec.json.encode(Notice(type=event.type, timestamp=event.at, data=data))
        letter = WebhookMessage(
            seq=event.seq, id=event.id, type=event.type, task_id=event.task_id, body=body.decode()
        )
        self._progress.send(letter)
        return letter

    def _notice(self, raw: msgspec.Raw, event: EventView) -> NoticeData:
        if event.task_id is None:
            about = msgspec.json.decode(event.data, type=AboutEndpoint)
            return NoticeData(event=raw, endpoint=about.endpoint)
        read = partial(self._client.get, f"/v1/tasks/{path_part(event.task_id)}")
        return NoticeData(event=raw, task=msgspec.Raw(self._client.patiently(read)))

    def _deliver(self, letter: WebhookMessage) -> None:
        for number in itertools.count(1):
            attempt = self._attempt(letter, number)
            if attempt.reason is None:
                self._progress.taken(letter)
            self._tell(attempt)
            if attempt.reason is None:
                return
            if attempt.retry_seconds is None:
                raise _gone()
            self._sleep(attempt.retry_seconds)

    def _attempt(self, letter: WebhookMessage, number: int) -> Attempt:
        began = time.monotonic()
        status, reason, answer = self._send(letter)
        wait = RETRY_SECONDS[min(number, len(RETRY_SECONDS)) - 1]
        return Attempt(
            at=time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(self._clock())),
            id=letter.id,
            seq=letter.seq,
            type=letter.type,
            task_id=letter.task_id,
            attempt=number,
            answered=status,
            reason=reason,
            duration_ms=round((time.monotonic() - began) * 1000),
            retry_seconds=None if reason is None or status == 410 else wait,
            answer=answer[:_KEPT_ANSWER],
        )

    def _send(self, letter: WebhookMessage) -> tuple[int | None, str | None, str]:
        body = letter.body.encode()
        post = Post(webhook_id=letter.id, url=self._address, secrets=self._keys, body=body)
        sent = headers(post, int(self._clock()))
        try:
            response = self._app.post(self._address, content=body, headers=dict(sent))
        except httpx.TimeoutException:
            return None, "timeout", ""
        except httpx.ConnectError as error:
            return None, "tls" if is_tls(error) else "connect", ""
        except httpx.HTTPError as error:
            return None, f"broken off ({type(error).__name__})", ""
        status = response.status_code
        return status, _reason(status), response.text


def _reason(status: int) -> str | None:
    if 200 <= status < 300:
        return None
    if 300 <= status < 400:
        return "redirect: none is ever followed"
    return "gone" if status == 410 else "status"


def _gone() -> CommandFailed:
    return CommandFailed(
        "The app answered 410: a gateway disables such an endpoint, and sends it no more.",
        "Answer 2xx to what is taken. Started again, this goes on with the same event.",
    )


def newest(client: Client) -> int:
    """The number behind which only what is still to come stands."""
    after: dict[str, int | str] = {}
    while True:
        page = client.read(FeedPage, FEED, types=_RARE, limit=200, **after)
        if page.next_cursor == str(after.get("after", 0)):
            return int(page.next_cursor)
        after = {"after": page.next_cursor}


def is_of(client: Client, last: tuple[int, str]) -> bool:
    """Whether the feed is the one that this event, taken last, has come from."""
    seq, event_id = last
    try:
        page = client.read(FeedPage, FEED, types="*", limit=1, after=seq - 1)
    except Denied as denied:
        if denied.code != "cursor_expired":
            raise
        return True  # the event is gone; what becomes of its cursor is told by the feed
    return bool(page.events) and (page.events[0].seq != seq or page.events[0].id == event_id)
