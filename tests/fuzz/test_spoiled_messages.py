"""Spoiled messages are refused by name; `make fuzz` does it a million times."""

import pytest

from gateway.wire.signing import MalformedHeaders, SignedHeaders
from tests.fuzz.originals import KINDS, NOW, Kind, Message
from tests.fuzz.run import MALFORMED, REFUSED, play

COUNT = 20_000


def test_no_spoiled_message_is_taken_and_nothing_breaks() -> None:
    found = play(COUNT, seed=7)
    # The refusals are of both sorts, or only one check was tried.
    for kind in KINDS:
        for outcome in (MALFORMED, REFUSED):
            assert found[f"{kind.name}: {outcome}"] > COUNT / 100


def test_the_same_seed_spoils_alike() -> None:
    assert play(300, seed=1) == play(300, seed=1) != play(300, seed=2)


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.name)
def test_the_originals_are_taken(kind: Kind) -> None:
    assert kind.is_authentic(kind.original)
    assert kind.is_taken(kind.original)


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("webhook-timestamp", f"0{NOW}"),
        ("webhook-timestamp", f"00{NOW}"),
        ("webhook-signature", "loose bits"),
    ],
    ids=["a leading zero", "two", "another way to write the same bytes"],
)
def test_what_says_the_same_in_other_words_is_malformed(name: str, text: str) -> None:
    original: Message = KINDS[0].original
    right = original.headers["webhook-signature"]
    assert right[-2:] != "B="
    loose = right[:-2] + chr(ord(right[-2]) + 1) + "="
    with pytest.raises(MalformedHeaders):
        SignedHeaders.parse({**original.headers, name: loose if text == "loose bits" else text})
