"""Authentic messages of each kind that a gateway takes, and how each kind is verified."""

from collections.abc import Callable, Mapping
from typing import Final

import msgspec

from gateway.wire import agent_body, flat_events
from gateway.wire.decode import decode
from gateway.wire.signing import STANDARD, SVIX, SignedHeaders, sign
from gateway.wire.sources import HubHeaders, PullRequestEvent, SandboxEvent

NOW: Final = 1_790_000_000
KEYS: Final = (bytes(range(32)), b"the key before that, 32 bytes it")
HUB_KEY: Final = b"It's a Secret to Everybody"
HUB_BODY: Final = b"Hello, World!"
HUB_MAC: Final = "757107ea0eb2509fc211221cce984b8a37570b6d7586c22c46f4379c8b043e17"
"""The vector of GitHub's own documentation."""


class Message(msgspec.Struct, frozen=True, kw_only=True):
    """Headers, by their names in small letters, and the body."""

    headers: Mapping[str, str]
    body: bytes


class Kind(msgspec.Struct, frozen=True, kw_only=True):
    """One way to sign."""

    name: str
    original: Message
    is_taken: Callable[[Message], bool]
    """True if the gateway accepts it; raises `MalformedHeaders`."""
    read: tuple[Callable[[bytes], object], ...]
    """Decoders that read a body before or after; they raise `WrongShape`."""
    unsigned: frozenset[str] = frozenset()
    """Headers that the signature does not cover."""

    def is_authentic(self, message: Message) -> bool:
        """True if one of its signatures still matches the content."""
        if message.body != self.original.body:
            return False
        for name, right in self.original.headers.items():
            given = message.headers.get(name)
            entries = (given or "").split(" ") if name.endswith("-signature") else [given]
            if name not in self.unsigned and right not in entries:
                return False
        return True


def _standard(names: tuple[str, str, str]) -> Callable[[Message], bool]:
    def is_taken(message: Message) -> bool:
        signed = SignedHeaders.parse(message.headers, names)
        matches = [signed.is_signed_by(key, message.body) for key in KEYS]
        return signed.is_timely(NOW) and any(matches)

    return is_taken


def _by_github(message: Message) -> bool:
    return HubHeaders.parse(message.headers).is_signed_by(HUB_KEY, message.body)


def _word(body: bytes) -> None:
    """As the route reads it: whose it is, and only then what it says."""
    agent_body.read_target(body)
    agent_body.decode(body)


def _signed(names: tuple[str, str, str], message_id: str, body: bytes) -> Message:
    texts = (message_id, str(NOW), sign(KEYS[0], message_id, NOW, body))
    return Message(headers=dict(zip(names, texts, strict=True)), body=body)


_WORD: Final = (
    b'{"type":"task.progress","timestamp":"2026-09-21T14:13:20.123Z","data":{"taskId":'
    b'"task_01k4z8n3v6fqkr2m5x9w7c1d0e","attempt":1,"stage":"agent","message":"7 \xe2\x9c\x93"}}'
)
_SANDBOX: Final = b'{"event":"sandbox.state.updated","id":"sb-1","newState":"stopped"}'

KINDS: Final = (
    Kind(
        name="agent",
        original=_signed(STANDARD, "msg_0a1b2c3d4e5f60718293a4b5c6d7e8f9", _WORD),
        is_taken=_standard(STANDARD),
        read=(_word, flat_events.decode),
    ),
    Kind(
        name="daytona",
        original=_signed(SVIX, "msg_p5jXN8AQM9LWM0D4loKWxJek", _SANDBOX),
        is_taken=_standard(SVIX),
        read=(lambda body: decode(SandboxEvent, body),),
    ),
    Kind(
        name="github",
        original=Message(
            headers={
                "x-github-delivery": "72d3162e-cc78-11e3-81ab-4c9367dc0958",
                "x-github-event": "ping",
                "x-hub-signature-256": f"sha256={HUB_MAC}",
            },
            body=HUB_BODY,
        ),
        is_taken=_by_github,
        read=(lambda body: decode(PullRequestEvent, body),),
        unsigned=frozenset({"x-github-delivery", "x-github-event"}),
    ),
)
