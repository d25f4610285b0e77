"""The schedule of Standard Webhooks, with jitter, an end, and a receiver's own wish."""

import pytest

from gateway.loops.deliveries.schedule import SCHEDULE, next_attempt_at, read_retry_after

HOUR = 3_600_000


@pytest.mark.parametrize("attempts", range(1, len(SCHEDULE)))
def test_the_pause_lies_within_a_fifth_of_the_schedule(attempts: int) -> None:
    planned = SCHEDULE[attempts]
    assert next_attempt_at(attempts, 0, lambda: 0.0) == round(planned * 0.8)
    assert next_attempt_at(attempts, 0, lambda: 1.0) == round(planned * 1.2)


def test_after_the_tenth_failure_it_is_dead() -> None:
    assert next_attempt_at(10, 0, lambda: 0.5) is None


def test_retry_after_is_honoured_up_to_an_hour() -> None:
    assert next_attempt_at(1, 0, lambda: 0.5, 60_000) == 60_000
    assert next_attempt_at(1, 0, lambda: 0.5, 9 * HOUR) == HOUR


def test_retry_after_never_shortens_the_pause() -> None:
    assert next_attempt_at(2, 0, lambda: 0.5, 1_000) == SCHEDULE[2]


@pytest.mark.parametrize(
    ("header", "expected"),
    [
        ("120", 120_000),
        ("Thu, 01 Jan 1970 00:01:00 GMT", 60_000),
        ("soon", None),
        ("", None),
        ("-5", None),
    ],
)
def test_retry_after_is_seconds_or_a_date(header: str, expected: int | None) -> None:
    assert read_retry_after(header, 0) == expected
