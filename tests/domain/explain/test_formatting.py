"""Moments, durations and other people's words."""

import pytest

from gateway.domain.explain.formatting import clock, duration, future, inside, listed, short

NOW = 1_790_000_000_000


@pytest.mark.parametrize(
    ("milliseconds", "text"),
    [
        (-5, "0 s"),
        (999, "0 s"),
        (59_999, "59 s"),
        (60_000, "1 min"),
        (3_599_999, "59 min"),
        (3_600_000, "1 h"),
        (12_000_000, "3 h 20 min"),
        (172_800_000, "2 days"),
    ],
)
def test_durations_are_rounded_down(milliseconds: int, text: str) -> None:
    assert duration(milliseconds) == text


@pytest.mark.parametrize(
    ("later", "text"), [(0, "14:13"), (86_400_000, "2026-09-22 14:13"), (-3_600_000, "13:13")]
)
def test_another_day_is_named(later: int, text: str) -> None:
    assert clock(NOW + later, NOW) == text


def test_what_is_due_is_now() -> None:
    assert future(NOW - 1, NOW) == "now"


def test_words_stay_on_one_line_and_steer_no_terminal() -> None:
    assert short("one\n two\x1b[2J\u202e") == "one two [2J"
    assert short("x" * 200) == "x" * 159 + "…"


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("No launcher took it.", "no launcher took it"),
        ("A name is taken.", "a name is taken"),
        ("HTTP 503", "HTTP 503"),
        ("", ""),
    ],
)
def test_a_sentence_becomes_a_part_of_another(text: str, told: str) -> None:
    assert inside(text) == told


def test_long_lists_are_cut() -> None:
    assert listed(["a", "b", "c", "d", "e"]) == "a, b, c and 2 more"
