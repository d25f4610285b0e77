"""The rate of a key: a burst at once, then an even flow, whatever the clock says."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.domain.operations.rate_limit import Pace, RateLimit, pace_of

RATES = st.floats(0.01, 1_000)


def walk(limit: RateLimit, moments: list[float]) -> list[Pace]:
    """The answers to requests at these moments."""
    paces: list[Pace] = []
    due_at = 0.0
    for now in moments:
        pace = pace_of(limit, limit.requests_per_second or 1, due_at, now)
        due_at = pace.due_at
        paces.append(pace)
    return paces


@given(RATES, st.integers(1, 200))
def test_as_many_as_the_burst_come_at_once_and_not_one_more(rate: float, burst: int) -> None:
    limit = RateLimit(requests_per_second=rate, burst=burst)
    paces = walk(limit, [1_000.0] * (burst + 3))
    assert [pace.is_within for pace in paces] == [True] * burst + [False] * 3
    assert [pace.remaining for pace in paces[:burst]] == list(range(burst - 1, -1, -1))


@given(RATES, st.integers(1, 50))
def test_whoever_waits_as_long_as_was_said_may_come_again(rate: float, burst: int) -> None:
    limit = RateLimit(requests_per_second=rate, burst=burst)
    full = walk(limit, [50.0] * (burst + 1))[-1]
    assert not full.is_within
    again = pace_of(limit, rate, full.due_at, 50.0 + full.retry_in)
    assert again.is_within


def test_without_a_burst_it_is_what_may_come_in_a_second() -> None:
    assert RateLimit(requests_per_second=2.5).most_at_once == 3
    assert RateLimit(requests_per_second=0.1).most_at_once == 1


@pytest.mark.parametrize("back", [1.0, 1e6])
def test_a_key_that_rests_gains_no_more_than_its_burst(back: float) -> None:
    limit = RateLimit(requests_per_second=1.0, burst=2)
    paces = walk(limit, [10.0, 10.0, *[20.0 + back] * 3])
    assert [pace.is_within for pace in paces] == [True, True, True, True, False]
