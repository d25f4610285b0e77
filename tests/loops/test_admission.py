"""Limits on attempts in flight: no project takes what others need."""

from gateway.loops.deliveries.admission import (
    FIRST_UNPROVEN,
    LEAST_UNPROVEN,
    PARALLEL,
    SLOW,
    USUAL_PER_ENDPOINT,
    Limits,
    Slot,
)
from gateway.loops.deliveries.limiter import FIRST_IN_FLIGHT, MOST_IN_FLIGHT
from tests.loops.heads import NOW, Row


def taken(limits: Limits, project: str, *, most: int = 10_000, proven: bool = False) -> list[Slot]:
    """As many slots as the project gets, each to another endpoint."""
    slots: list[Slot] = []
    for number in range(most):
        endpoint_id = f"ep_{project}_{number}"
        if proven:
            limits.endpoint(endpoint_id).succeed()
        head = Row(project=project, endpoint_id=endpoint_id)
        if limits.available(head, NOW) <= 0:
            break
        slots.append(limits.start(head, NOW))
    return slots


def test_a_project_alone_gets_half_of_all_and_each_later_one_finds_some_free() -> None:
    limits = Limits()
    got = [len(taken(limits, name, proven=True)) for name in ("a", "b", "c", "d")]
    assert got == [PARALLEL // 2, PARALLEL // 4, PARALLEL // 8, PARALLEL // 16]


def test_what_lands_may_start_again() -> None:
    limits = Limits()
    slots = taken(limits, "a", proven=True)
    for slot in slots:
        limits.finish(slot)
    assert len(taken(limits, "a", proven=True)) == len(slots)


def test_one_endpoint_gets_no_more_than_its_own_limit() -> None:
    limits = Limits()
    assert limits.available(Row(project="a", endpoint_id="ep_1"), NOW) == FIRST_IN_FLIGHT
    limits.start(Row(project="a", endpoint_id="ep_1"), NOW)
    assert limits.available(Row(project="a", endpoint_id="ep_1"), NOW) == FIRST_IN_FLIGHT - 1


def test_one_busy_endpoint_has_the_extra_attempts_of_its_project_and_the_next_has_none() -> None:
    limits, now = Limits(), NOW

    def fill(endpoint_id: str) -> list[Slot]:
        head = Row(project="a", endpoint_id=endpoint_id)
        for _ in range(MOST_IN_FLIGHT):
            limits.endpoint(endpoint_id).succeed()
        return [
            limits.start(head, now) for _ in iter(lambda: limits.available(head, now) > 0, False)
        ]

    assert len(fill("ep_1")) == MOST_IN_FLIGHT
    second = fill("ep_2")
    assert len(second) == USUAL_PER_ENDPOINT
    assert limits.opens_at("a", "ep_2", now) is None
    for slot in second:
        limits.finish(slot)
    assert limits.opens_at("a", "ep_2", now) == now
    assert len(fill("ep_2")) == USUAL_PER_ENDPOINT


def test_endpoints_on_trial_leave_room_for_those_that_are_proven() -> None:
    limits = Limits()
    assert len(taken(limits, "a")) == FIRST_UNPROVEN
    limits.endpoint("ep_good").succeed()
    assert limits.available(Row(project="a", endpoint_id="ep_good"), NOW) > 0
    assert limits.available(Row(project="a", endpoint_id="ep_new"), NOW) == 0


def test_a_project_whose_receivers_hang_has_ever_fewer_on_trial_and_one_whose_answer_has_more() -> (
    None
):
    limits = Limits()
    for _ in range(10):
        limits.record("hangs", 15_000, is_success=False)
        limits.record("answers", 20, is_success=True)
        limits.record("refuses", SLOW - 1, is_success=False)
    assert len(taken(limits, "hangs")) == LEAST_UNPROVEN
    assert len(taken(limits, "answers")) == FIRST_UNPROVEN + 10
    assert len(taken(limits, "refuses")) == FIRST_UNPROVEN + 10


def test_only_what_remembers_nothing_is_forgotten() -> None:
    limits = Limits(many=1)
    limits.endpoint("ep_failed").fail(NOW)
    limits.endpoint("ep_good").succeed()
    limits.start(Row(project="a", endpoint_id="ep_busy"), NOW)
    limits.drop_idle(NOW)
    assert not limits.is_proven("ep_good")
    assert limits.available(Row(project="a", endpoint_id="ep_failed"), NOW) == 1
    assert limits.available(Row(project="a", endpoint_id="ep_busy"), NOW) == FIRST_IN_FLIGHT - 1
