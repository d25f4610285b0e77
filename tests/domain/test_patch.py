"""Revisions of a patch: the newest of each, whole or with a hole that is named."""

import random
from itertools import count

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from gateway.domain.agents.patch import MAX_PATCH, PatchDetails, PatchPiece, StoredPiece, revisions


def stored(*places: tuple[int, int], first: int = 1, **fields: object) -> list[StoredPiece]:
    """Pieces by offset and length, in the order in which they came."""
    numbers = count(first)
    about = {"attempt": 1, "revision": 1, "size": None, **fields}
    return [
        StoredPiece(task_seq=next(numbers), start=start, length=length, **about)  # type: ignore[arg-type]
        for start, length in places
    ]


@given(sizes=st.lists(st.integers(0, 9), max_size=8), seed=st.integers(0, 999))
def test_pieces_in_any_order_and_more_than_once_are_whole(sizes: list[int], seed: int) -> None:
    places = [(sum(sizes[:number]), size) for number, size in enumerate(sizes)] * 2
    random.Random(seed).shuffle(places)
    for found in revisions(stored(*places)):
        assert found.hole is None
        assert sum(end - begin for _, begin, end in found.parts()) == found.size == sum(sizes)


@pytest.mark.parametrize(
    ("places", "size", "hole"),
    [
        pytest.param([(3, 1)], None, (0, 2), id="the beginning"),
        pytest.param([(0, 2), (5, 1)], None, (2, 4), id="the middle"),
        pytest.param([(0, 2), (2, 3)], 9, (5, 8), id="the end"),
        pytest.param([(0, 2), (1, 3)], 4, None, id="none, for they overlap"),
        pytest.param([(0, 0)], 0, None, id="none, for it is empty"),
    ],
)
def test_a_hole_is_named_by_its_bytes(
    places: list[tuple[int, int]], size: int | None, hole: tuple[int, int] | None
) -> None:
    (found,) = revisions(stored(*places, size=size))
    assert found.hole == hole


def test_newer_attempts_and_higher_revisions_come_first() -> None:
    pieces = [
        *stored((0, 1), attempt=1, revision=3),
        *stored((0, 1), attempt=2, revision=1),
        *stored((0, 1), attempt=2, revision=2),
    ]
    assert [(each.attempt, each.number) for each in revisions(pieces)] == [(2, 2), (2, 1), (1, 3)]


def test_of_two_texts_under_one_number_the_newer_one_counts() -> None:
    given_up = stored((0, 5), (5, 5), size=20)
    (found,) = revisions([*given_up, *stored((0, 4), first=3, size=4)])
    assert [piece.task_seq for piece, _, _ in found.parts()] == [3]
    (found,) = revisions([*given_up, *stored((5, 5), (10, 10), first=3, size=20)])
    assert [piece.task_seq for piece, _, _ in found.parts()] == [1, 3, 4]


def test_what_its_pieces_say_is_said_once() -> None:
    first, last = stored((0, 1), (1, 1))
    patch_details = PatchDetails(base_sha="a" * 40, summary="Added it", warnings=("x", "y"))
    more = PatchDetails(partial=True, warnings=("y", "z"))
    pieces = [replace(first, details=patch_details), replace(last, details=more)]
    assert revisions(pieces)[0].details == PatchDetails(
        partial=True, base_sha="a" * 40, summary="Added it", warnings=("x", "y", "z")
    )


@pytest.mark.parametrize(
    ("start", "size", "is_too_far"),
    [(MAX_PATCH - 1, None, False), (MAX_PATCH, None, True), (0, MAX_PATCH + 1, True)],
)
def test_a_patch_has_an_end(start: int, size: int | None, *, is_too_far: bool) -> None:
    piece = PatchPiece(revision=1, start=start, length=1, size=size, chunk=b"x")
    assert piece.is_too_far is is_too_far
