"""The part of a conversation that fits the model's context.

What is left out stays left out, and much is left out at a time: each change of what was sent before
costs the provider's cache.
"""

import json
from collections.abc import Iterator, Sequence
from typing import Final

import msgspec

from .chat import Message

FIRST_MESSAGES: Final = 2
"""The instructions and the task: always kept."""
PROMPT: Final = "is_prompt"
"""In the extra part of a later message with the task: the newest such one is always kept."""
KEPT_OBSERVATIONS: Final = 6
"""The newest ones, as they are."""
KEPT_TURNS: Final = 2
NOTE: Final = "[output left out to save room; run the command again if you need it]"
_GAP: Final[Message] = {"role": "user", "content": "[Earlier turns are left out to save room.]"}


class Window(msgspec.Struct, frozen=True, kw_only=True):
    """Indices of messages."""

    noted: int = FIRST_MESSAGES
    """Before it a note stands in the place of each long observation."""
    begins: int = FIRST_MESSAGES
    """The turns before it are left out."""


def view(messages: Sequence[Message], window: Window) -> list[Message]:
    """The messages that are sent. A turn is there with all its calls and results, or not at all."""
    gap = [_GAP] if window.begins > FIRST_MESSAGES else []
    noted = [
        {**message, "content": NOTE} if _is_long(message) else message
        for message in messages[window.begins : window.noted]
    ]
    rest = messages[max(window.begins, window.noted) :]
    return [*messages[:FIRST_MESSAGES], *gap, *_prompt_before(messages, window), *noted, *rest]


def _prompt_before(messages: Sequence[Message], window: Window) -> list[Message]:
    """The newest prompt, if it is among what is left out."""
    newest = [place for place, message in enumerate(messages) if _is_prompt(message)][-1:]
    return [messages[place] for place in newest if place < window.begins]


def _is_prompt(message: Message) -> bool:
    extra = message.get("extra")
    return isinstance(extra, dict) and PROMPT in extra


def size(messages: Sequence[Message]) -> int:
    """Characters, about as many as are sent."""
    return sum(map(_size, messages))


def shortened(messages: Sequence[Message], window: Window, most: int) -> Window:
    """The first window after this one with at most so many characters, or the smallest there is."""
    for candidate in _smaller_windows(messages, window):
        window = candidate
        if size(view(messages, window)) <= most:
            break
    return window


def _smaller_windows(messages: Sequence[Message], window: Window) -> Iterator[Window]:
    """Windows that get smaller: older observations go first, then whole turns."""
    observations = [i for i, message in enumerate(messages) if message["role"] == "tool"]
    for place in observations[:-KEPT_OBSERVATIONS]:
        if place >= window.noted:
            yield (window := Window(noted=place + 1, begins=window.begins))
    turns = [i for i, message in enumerate(messages) if message["role"] == "assistant"]
    for place in turns[1 : 1 - KEPT_TURNS]:
        if place > window.begins:
            yield (window := Window(noted=max(window.noted, place), begins=place))


def _is_long(message: Message) -> bool:
    return message["role"] == "tool" and len(str(message["content"])) > len(NOTE)


def _size(message: Message) -> int:
    whole = {name: value for name, value in message.items() if name != "extra"}
    return len(json.dumps(whole, ensure_ascii=False, default=str))
