"""The gate of an endpoint: room, breaker and rate."""

import pytest

from gateway.loops.deliveries.limiter import (
    FIRST_PAUSE,
    FIRST_ROOM,
    FULL_ROOM,
    LONGEST_PAUSE,
    TRIPS_AT,
    TRIPS_WITHIN,
    EndpointLimiter,
)

NOW = 1_790_000_000_000


def tripped() -> EndpointLimiter:
    gate = EndpointLimiter()
    opened = [gate.fail(NOW) for _ in range(TRIPS_AT)]
    assert opened == [*[False] * (TRIPS_AT - 1), True]
    return gate


def test_room_grows_with_success_and_shrinks_with_failure() -> None:
    gate = EndpointLimiter()
    assert gate.available(NOW) == FIRST_ROOM
    for _ in range(5):
        gate.succeed()
    assert gate.available(NOW) == FULL_ROOM
    gate.fail(NOW)
    assert gate.available(NOW) == FULL_ROOM // 2
    for _ in range(5):
        gate.fail(NOW)
    assert gate.available(NOW) == 1


def test_what_is_in_flight_takes_its_room_until_it_lands() -> None:
    gate = EndpointLimiter()
    for _ in range(FIRST_ROOM):
        gate.start(NOW, None)
    assert (gate.available(NOW), gate.opens_at(NOW)) == (0, None)
    gate.in_flight -= 1
    assert gate.available(NOW) == 1


def test_an_open_breaker_lets_one_probe_through_after_each_pause() -> None:
    gate = tripped()
    assert gate.available(NOW + FIRST_PAUSE - 1) == 0
    assert gate.opens_at(NOW) == NOW + FIRST_PAUSE
    probed_at = NOW + FIRST_PAUSE
    assert gate.available(probed_at) == 1
    gate.start(probed_at, None)
    assert gate.available(probed_at) == 0
    gate.fail(probed_at)
    gate.in_flight -= 1
    assert gate.available(probed_at + 2 * FIRST_PAUSE - 1) == 0
    assert gate.available(probed_at + 2 * FIRST_PAUSE) == 1


def test_the_pause_between_probes_has_a_limit() -> None:
    gate, now = tripped(), NOW
    for _ in range(20):
        now = gate.retry_at(now)
        gate.fail(now)
    assert gate.retry_at(now) == now + LONGEST_PAUSE


def test_what_was_under_way_when_it_opened_does_not_lengthen_the_pause() -> None:
    gate = tripped()
    gate.fail(NOW + 1)
    assert gate.retry_at(NOW) == NOW + FIRST_PAUSE


def test_a_probe_that_succeeds_closes_the_breaker() -> None:
    gate = tripped()
    gate.succeed()
    assert not gate.breaker_open
    assert gate.available(NOW) == FIRST_ROOM


@pytest.mark.parametrize(
    ("apart", "breaker_open"),
    [(TRIPS_WITHIN // TRIPS_AT, True), (TRIPS_WITHIN // TRIPS_AT * 2, False)],
    ids=["a storm", "now and then"],
)
def test_failures_that_come_now_and_then_open_no_breaker(apart: int, breaker_open: bool) -> None:
    gate = EndpointLimiter()
    for number in range(TRIPS_AT * 2):
        gate.fail(NOW + number * apart)
    assert gate.breaker_open == breaker_open


@pytest.mark.parametrize("rate", [0.5, 3.0, 40.0], ids=["slow", "some", "fast"])
def test_a_rate_is_kept_in_every_second(rate: float) -> None:
    gate = EndpointLimiter()
    for _ in range(5):
        gate.succeed()
    started: list[int] = []
    for now in range(NOW, NOW + 20_000, 10):
        while gate.available(now) > 0:
            gate.start(now, rate)
            gate.in_flight -= 1
            started.append(now)
    seconds = [sum(at <= each < at + 1000 for each in started) for at in started]
    assert max(seconds) <= rate * 1.1 + 1
    assert 20 * rate * 0.9 <= len(started) <= 20 * rate * 1.1 + 1


def test_a_gate_without_a_token_says_when_it_has_one() -> None:
    gate = EndpointLimiter()
    gate.start(NOW, 2.0)
    gate.in_flight -= 1
    at = gate.opens_at(NOW)
    assert at is not None
    assert NOW + 500 <= at <= NOW + 502
    assert gate.available(at) == 1


@pytest.mark.parametrize(
    ("failing_for", "pause"),
    [(1_000, FIRST_PAUSE), (60_000, 30_000), (86_400_000, LONGEST_PAUSE)],
    ids=["has just begun", "for a minute", "for a day"],
)
def test_a_gate_that_is_made_anew_pauses_as_the_one_before_would(
    failing_for: int, pause: int
) -> None:
    gate = EndpointLimiter()
    gate.restore([NOW - number for number in reversed(range(TRIPS_AT))], NOW - failing_for)
    assert (gate.breaker_open, gate.opened_at) == (True, NOW)
    assert (gate.available(NOW + pause - 1), gate.available(NOW + pause)) == (0, 1)


def test_few_failures_before_a_restart_open_no_breaker() -> None:
    gate = EndpointLimiter()
    gate.restore([NOW], NOW)
    assert not gate.breaker_open
    assert gate.available(NOW) == 1


def test_a_gate_is_as_good_as_new_once_somebody_has_changed_its_endpoint() -> None:
    gate = tripped()
    gate.reset()
    assert (gate.breaker_open, gate.available(NOW)) == (False, FIRST_ROOM)
