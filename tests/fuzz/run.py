"""A run: so many spoiled messages, each refused by its one error and taken by nobody."""

from collections import Counter
from contextlib import suppress
from random import Random
from typing import Final

from gateway.wire.decode import WrongShape
from gateway.wire.signing import MalformedHeaders
from tests.fuzz.originals import KINDS, Kind, Message
from tests.fuzz.spoiling import spoiled

TAKEN: Final = "taken"
REFUSED: Final = "invalid signature"
MALFORMED: Final = "malformed headers"
UNCHANGED: Final = "came out as it was"


def play(count: int, seed: int) -> Counter[str]:
    """The outcomes of `count` messages that are no longer authentic, by kind.

    Raises:
        AssertionError: one of them was taken; with it, and whatever else is raised, the message.
    """
    random = Random(seed)
    found: Counter[str] = Counter()
    spoilt = 0
    while spoilt < count:
        kind = random.choice(KINDS)
        message = spoiled(random, kind.original)
        is_authentic = kind.is_authentic(message)
        try:
            outcome = UNCHANGED if is_authentic else _outcome(kind, message)
            _read(kind, message.body)
            assert outcome != TAKEN, "a message that is not authentic was taken"
        except Exception as exc:
            exc.add_note(f"seed {seed}, {spoilt} before it, {kind.name}: {message!r}")
            raise
        found[f"{kind.name}: {outcome}"] += 1
        spoilt += not is_authentic
    return found


def _outcome(kind: Kind, message: Message) -> str:
    try:
        return TAKEN if kind.is_taken(message) else REFUSED
    except MalformedHeaders:
        return MALFORMED


def _read(kind: Kind, body: bytes) -> None:
    for read in kind.read:
        with suppress(WrongShape):
            read(body)
