"""The limiter of an endpoint: slow start, breaker and rate."""

import pytest

from gateway.loops.deliveries.limiter import (
    BREAKER_FAILURES,
    BREAKER_WINDOW,
    FIRST_IN_FLIGHT,
    FIRST_PAUSE,
    LONGEST_PAUSE,
    MOST_IN_FLIGHT,
    EndpointLimiter,
)

NOW = 1_790_000_000_000


def with_open_breaker() -> EndpointLimiter:
    limiter = EndpointLimiter()
    opened = [limiter.fail(NOW) for _ in range(BREAKER_FAILURES)]
    assert opened == [*[False] * (BREAKER_FAILURES - 1), True]
    return limiter


def test_room_grows_with_success_and_shrinks_with_failure() -> None:
    limiter = EndpointLimiter()
    assert limiter.available(NOW) == FIRST_IN_FLIGHT
    for _ in range(5):
        limiter.succeed()
    assert limiter.available(NOW) == MOST_IN_FLIGHT
    limiter.fail(NOW)
    assert limiter.available(NOW) == MOST_IN_FLIGHT // 2
    for _ in range(5):
        limiter.fail(NOW)
    assert limiter.available(NOW) == 1


def test_what_is_in_flight_takes_its_room_until_it_lands() -> None:
    limiter = EndpointLimiter()
    for _ in range(FIRST_IN_FLIGHT):
        limiter.start(NOW, None)
    assert (limiter.available(NOW), limiter.opens_at(NOW)) == (0, None)
    limiter.in_flight -= 1
    assert limiter.available(NOW) == 1


def test_deliveries_that_wait_go_before_another_one_may_start() -> None:
    slow, broken = EndpointLimiter(), with_open_breaker()
    for _ in range(5):
        slow.succeed()
    for _ in range(MOST_IN_FLIGHT):
        slow.queue.enter()
    slow.mark_slow()  # the first of them has waited too long
    broken.queue.enter()
    for limiter, now in ((slow, NOW), (broken, NOW + FIRST_PAUSE)):
        assert not limiter.has_place(now)
        assert limiter.opens_at(now) is None
        limiter.queue.leave()
        assert limiter.has_place(now)


def test_an_open_breaker_lets_one_probe_through_after_each_pause() -> None:
    limiter = with_open_breaker()
    assert limiter.available(NOW + FIRST_PAUSE - 1) == 0
    assert limiter.opens_at(NOW) == NOW + FIRST_PAUSE
    probed_at = NOW + FIRST_PAUSE
    assert limiter.available(probed_at) == 1
    limiter.start(probed_at, None)
    assert limiter.available(probed_at) == 0
    limiter.fail(probed_at)
    limiter.in_flight -= 1
    assert limiter.available(probed_at + 2 * FIRST_PAUSE - 1) == 0
    assert limiter.available(probed_at + 2 * FIRST_PAUSE) == 1


def test_the_pause_between_probes_has_a_limit() -> None:
    limiter, now = with_open_breaker(), NOW
    for _ in range(20):
        now = limiter.retry_at(now)
        limiter.fail(now)
    assert limiter.retry_at(now) == now + LONGEST_PAUSE


def test_what_was_under_way_when_it_opened_does_not_lengthen_the_pause() -> None:
    limiter = with_open_breaker()
    limiter.fail(NOW + 1)
    assert limiter.retry_at(NOW) == NOW + FIRST_PAUSE


def test_a_clock_that_is_set_back_lengthens_no_pause() -> None:
    limiter, earlier = with_open_breaker(), NOW - 3_600_000
    assert (limiter.available(earlier), limiter.opens_at(earlier)) == (1, earlier)
    limiter.fail(earlier)
    assert limiter.retry_at(earlier) == earlier + 2 * FIRST_PAUSE


def test_a_probe_that_succeeds_closes_the_breaker() -> None:
    limiter = with_open_breaker()
    limiter.succeed()
    assert not limiter.breaker_open
    assert limiter.available(NOW) == FIRST_IN_FLIGHT


@pytest.mark.parametrize(
    ("apart", "breaker_open"),
    [(BREAKER_WINDOW // BREAKER_FAILURES, True), (BREAKER_WINDOW // BREAKER_FAILURES * 2, False)],
    ids=["a storm", "now and then"],
)
def test_failures_that_come_now_and_then_open_no_breaker(apart: int, breaker_open: bool) -> None:
    limiter = EndpointLimiter()
    for number in range(BREAKER_FAILURES * 2):
        limiter.fail(NOW + number * apart)
    assert limiter.breaker_open == breaker_open


@pytest.mark.parametrize("rate", [0.5, 3.0, 40.0], ids=["slow", "some", "fast"])
def test_a_rate_is_kept_in_every_second(rate: float) -> None:
    limiter = EndpointLimiter()
    for _ in range(5):
        limiter.succeed()
    started: list[int] = []
    for now in range(NOW, NOW + 20_000, 10):
        while limiter.available(now) > 0:
            limiter.start(now, rate)
            limiter.in_flight -= 1
            started.append(now)
    seconds = [sum(at <= each < at + 1000 for each in started) for at in started]
    assert max(seconds) <= rate * 1.1 + 1
    assert 20 * rate * 0.9 <= len(started) <= 20 * rate * 1.1 + 1


def test_a_limiter_without_a_token_says_when_it_has_one() -> None:
    limiter = EndpointLimiter()
    limiter.start(NOW, 2.0)
    limiter.in_flight -= 1
    at = limiter.opens_at(NOW)
    assert at is not None
    assert NOW + 500 <= at <= NOW + 502
    assert limiter.available(at) == 1


@pytest.mark.parametrize(
    ("failing_for", "pause"),
    [(1_000, FIRST_PAUSE), (60_000, 30_000), (86_400_000, LONGEST_PAUSE)],
    ids=["has just begun", "for a minute", "for a day"],
)
def test_a_limiter_that_is_made_anew_pauses_as_the_one_before_would(
    failing_for: int, pause: int
) -> None:
    limiter = EndpointLimiter()
    limiter.restore(
        [NOW - number for number in reversed(range(BREAKER_FAILURES))], NOW - failing_for
    )
    assert (limiter.breaker_open, limiter.opened_at) == (True, NOW)
    assert (limiter.available(NOW + pause - 1), limiter.available(NOW + pause)) == (0, 1)


def test_few_failures_before_a_restart_open_no_breaker() -> None:
    limiter = EndpointLimiter()
    limiter.restore([NOW], NOW)
    assert not limiter.breaker_open
    assert limiter.available(NOW) == 1


def test_a_limiter_is_as_good_as_new_once_somebody_has_changed_its_endpoint() -> None:
    limiter = with_open_breaker()
    limiter.reset()
    assert (limiter.breaker_open, limiter.available(NOW)) == (False, FIRST_IN_FLIGHT)
