"""Moments on the wire: written one way, read strictly."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.wire.times import milliseconds, parse_rfc3339, rfc3339

YEAR_9999 = 253_402_300_799_999


@given(st.integers(0, YEAR_9999))
def test_what_is_written_is_read_as_the_same_moment(at: int) -> None:
    moment = parse_rfc3339(rfc3339(at))
    assert moment is not None
    assert milliseconds(moment) == at


@pytest.mark.parametrize(
    "text",
    [
        "2026-01-31T12:00:00Z",
        "2026-01-31t12:00:00z",
        "2026-01-31T12:00:00.5+02:00",
        "2026-01-31T12:00:00.123456789-23:59",
    ],
)
def test_every_form_of_the_standard_is_read(text: str) -> None:
    assert parse_rfc3339(text) is not None


@pytest.mark.parametrize(
    "text",
    [
        "",
        "2026-01-31",
        "2026-01-31T12:00:00",
        "2026-01-31T12:00Z",
        "20260131T120000Z",
        "2026-W05-6T12:00:00Z",
        "2026-02-30T12:00:00Z",
        "2026-01-31T24:00:01Z",
        "2026-01-31T12:00:00+0200",
        "2026-01-31T12:00:00Z\n",
        "\u0662026-01-31T12:00:00Z",
    ],
)
def test_another_form_is_no_moment(text: str) -> None:
    assert parse_rfc3339(text) is None


@given(st.text())
def test_any_text_is_a_moment_or_none(text: str) -> None:
    moment = parse_rfc3339(text)
    assert moment is None or moment.tzinfo is not None
