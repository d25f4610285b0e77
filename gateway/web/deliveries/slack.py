"""Webhooks in the form of a Slack incoming webhook.

Source: docs.slack.dev, "Formatting message text" and "Sending messages using incoming webhooks".
"""

import re
from collections.abc import Iterable, Iterator
from typing import Final

import msgspec

from gateway.domain.explain.advice import ADVICE
from gateway.domain.tasks.event import AlertEventData, EndpointEventData, Event
from gateway.domain.tasks.fold import ENDS
from gateway.domain.tasks.spec import Spec
from gateway.domain.tasks.task import Task

SHOWN: Final = 300
"""Characters of each text that others wrote."""
_LINKABLE: Final = re.compile(r"https?://[^\s<>|\"]{1,1000}")
_ESCAPES: Final = str.maketrans({"&": "&amp;", "<": "&lt;", ">": "&gt;"})
"""Without a `<` of its own a text can mention nobody: `<!channel>`, `<@U1>`."""


class _Text(msgspec.Struct, tag_field="type", tag="mrkdwn"):
    text: str
    verbatim: bool = True
    """True: Slack makes no links and mentions out of bare addresses and names."""


class _Block(msgspec.Struct, omit_defaults=True):
    type: str
    text: _Text | msgspec.UnsetType = msgspec.UNSET
    elements: list[_Text] | msgspec.UnsetType = msgspec.UNSET


class SlackMessage(msgspec.Struct):
    """The body of an incoming webhook."""

    text: str
    """Shown in notifications."""
    blocks: list[_Block]
    unfurl_links: bool = False
    unfurl_media: bool = False


def escaped(text: str) -> str:
    """A text of others on one line, without the signs that mean something to Slack."""
    line = " ".join(text.split())
    short = line if len(line) <= SHOWN else f"{line[: SHOWN - 1]}…"
    return short.translate(_ESCAPES)


def task_message(event: Event, task: Task, spec: Spec, dashboard: str | None) -> bytes:
    """An event of a task; `dashboard` is the address of the dashboard, if it has one."""
    page = dashboard and f"{dashboard}/tasks/{task.id}"
    headline = f"*{_headline(event.type)}*: {_link(page, spec.title)}"
    return _encoded(headline, _lines(event, task), _footer(task, spec))


def alert_message(event: Event) -> bytes:
    """An event about the whole installation or an endpoint."""
    fact = event.fact
    if isinstance(fact, AlertEventData):
        lines = [escaped(fact.summary), f"since {escaped(fact.since)}"]
        command = [f"`{escaped(fact.do)}`"] if fact.do else []
        return _encoded(f"*{_headline(event.type)}*: {fact.state}", lines, command)
    if isinstance(fact, EndpointEventData):
        endpoint = fact.endpoint
        lines = [escaped(endpoint.reason)] if endpoint.reason else []
        command = [f"`slipgate endpoints show {escaped(endpoint.id)}`"]
        return _encoded(f"*{_headline(event.type)}*: {escaped(endpoint.origin)}", lines, command)
    raise TypeError(f"{event.type} belongs to a task")


def own_message(event: Event) -> bytes:
    """An event of an application's own type: Slack knows nothing of its data."""
    return _encoded(f"*{escaped(event.type)}*", [f"`{escaped(event.data.decode())}`"], [])


def test_message(endpoint_id: str) -> bytes:
    """The body of `POST …/test`."""
    return _encoded("*slipgate*: this is a test", [], [f"`{escaped(endpoint_id)}`"])


def _headline(kind: str) -> str:
    """`task.needs_review` as `Task needs review`."""
    return kind.replace(".", " ").replace("_", " ").capitalize()


def _lines(event: Event, task: Task) -> Iterator[str]:
    if event.type in ENDS and task.error is not None:
        yield f"`{escaped(task.error.code)}`: {escaped(task.error.message)}"
        if advice := ADVICE.get(task.error.code):
            yield f"→ {escaped(advice)}"
    elif task.message:
        yield escaped(task.message)
    if task.pr_url:
        yield _link(task.pr_url, task.pr_url)


def _footer(task: Task, spec: Spec) -> Iterator[str]:
    yield escaped(spec.repo_url)
    if task.attempt > 1:
        yield f"attempt {task.attempt}"
    yield f"`slipgate tasks explain {task.id}`"


def _link(url: str | None, text: str) -> str:
    """A link; the text alone if the address could end the link early."""
    if url is None or not _LINKABLE.fullmatch(url):
        return escaped(text)
    # Within a link `|` separates; a text of others has none.
    return f"<{url.translate(_ESCAPES)}|{escaped(text).replace('|', '¦')}>"


def _encoded(headline: str, lines: Iterable[str], about: Iterable[str]) -> bytes:
    whole = "\n".join((headline, *lines))
    blocks = [_Block(type="section", text=_Text(text=whole))]
    if elements := [_Text(text=each) for each in about]:
        blocks.append(_Block(type="context", elements=elements))
    return msgspec.json.encode(SlackMessage(text=headline.replace("*", "", 2), blocks=blocks))
