"""Texts in pieces: put together in order, and nothing missing goes unsaid."""

import random

from hypothesis import given
from hypothesis import strategies as st

from gateway.domain.agents.transcript import Piece, Transcript, gaps, in_order


def piece(offset: int, chunk: str, attempt: int = 1) -> Piece:
    return Piece(attempt=attempt, offset=offset, chunk=chunk)


def cut(text: str, sizes: list[int]) -> list[Piece]:
    """A text in pieces of so many characters."""
    pieces, at, offset = [], 0, 0
    for size in [*sizes, len(text)]:
        chunk = text[at : at + size]
        pieces.append(piece(offset, chunk))
        at, offset = at + size, offset + len(chunk.encode())
    return pieces


TEXT = st.text(st.characters(exclude_categories=["Cs"]), max_size=60)


@given(text=TEXT, sizes=st.lists(st.integers(1, 9), max_size=8), seed=st.integers(0, 999))
def test_between_pieces_in_any_order_and_more_than_once_nothing_is_missing(
    text: str, sizes: list[int], seed: int
) -> None:
    pieces = cut(text, sizes) * 2
    random.Random(seed).shuffle(pieces)
    assert set(gaps(in_order(pieces), None)) == {0}


@given(text=TEXT, sizes=st.lists(st.integers(1, 9), max_size=8))
def test_a_transcript_of_pieces_in_order_is_the_text(text: str, sizes: list[int]) -> None:
    transcript = Transcript()
    assert "".join(transcript.add([each]) for each in cut(text, sizes)) == text


def test_gaps_are_counted_by_attempt_and_from_what_was_read_before() -> None:
    pieces = [piece(10, "abc"), piece(11, "b"), piece(20, "x"), piece(2, "y", attempt=2)]
    assert list(gaps(pieces, None)) == [10, 0, 7, 2]
    assert list(gaps(pieces, piece(0, "0123456789"))) == [0, 0, 7, 2]
    assert list(gaps(pieces, piece(0, "0", attempt=2))) == [10, 0, 7, 2]


def test_a_transcript_says_what_is_missing_and_what_came_late() -> None:
    transcript = Transcript()
    assert transcript.add([piece(6, "tail\n"), piece(0, "a\n")]) == (
        "a\n\n[4 bytes are missing]\ntail\n"
    )
    assert transcript.add([piece(2, "b\n")]) == "\n[bytes 2 to 3, which came late]\nb\n\n"
    assert transcript.add([piece(4, "c\n")]) == "\n[bytes 4 to 5, which came late]\nc\n\n"
    assert transcript.add([piece(2, "b\n"), piece(6, "tail\n")]) == ""
    assert transcript.add([piece(9, "l\nmore")]) == "more"


def test_a_transcript_begins_each_attempt_anew() -> None:
    transcript = Transcript()
    assert transcript.add([piece(0, "one"), piece(0, "two", attempt=2)]) == "one\n[attempt 2]\ntwo"
    assert Transcript(piece(0, "one")).add([piece(3, "s")]) == "s"
