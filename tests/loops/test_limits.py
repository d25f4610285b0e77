"""Limits of concurrent attempts: nobody takes what others need."""

from gateway.loops.deliveries.limiter import FIRST_ROOM
from gateway.loops.deliveries.limits import (
    FIRST_TRIALS,
    LEAST_TRIALS,
    PARALLEL,
    SLOW,
    Limits,
    Slot,
)

NOW = 1_790_000_000_000


def taken(limits: Limits, project: str, *, most: int = 10_000, proven: bool = False) -> list[Slot]:
    """As many slots as the project gets, each to another endpoint."""
    slots: list[Slot] = []
    for number in range(most):
        endpoint_id = f"ep_{project}_{number}"
        if proven:
            limits.endpoint(endpoint_id).succeed()
        if limits.available(project, endpoint_id, NOW) <= 0:
            break
        slots.append(limits.start(project, endpoint_id, NOW, None))
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
    assert limits.available("a", "ep_1", NOW) == FIRST_ROOM
    limits.start("a", "ep_1", NOW, None)
    assert limits.available("a", "ep_1", NOW) == FIRST_ROOM - 1


def test_endpoints_on_trial_leave_room_for_those_that_are_proven() -> None:
    limits = Limits()
    assert len(taken(limits, "a")) == FIRST_TRIALS
    limits.endpoint("ep_good").succeed()
    assert limits.available("a", "ep_good", NOW) > 0
    assert limits.available("a", "ep_new", NOW) == 0


def test_a_project_whose_receivers_hang_has_ever_fewer_on_trial_and_one_whose_answer_has_more() -> (
    None
):
    limits = Limits()
    for _ in range(10):
        limits.weigh("hangs", 15_000, is_success=False)
        limits.weigh("answers", 20, is_success=True)
        limits.weigh("refuses", SLOW - 1, is_success=False)
    assert len(taken(limits, "hangs")) == LEAST_TRIALS
    assert len(taken(limits, "answers")) == FIRST_TRIALS + 10
    assert len(taken(limits, "refuses")) == FIRST_TRIALS + 10


def test_only_what_remembers_nothing_is_forgotten() -> None:
    limits = Limits(many=1)
    limits.endpoint("ep_failed").fail(NOW)
    limits.endpoint("ep_good").succeed()
    limits.start("a", "ep_busy", NOW, None)
    limits.forget(NOW)
    assert not limits.is_proven("ep_good")
    assert limits.available("a", "ep_failed", NOW) == 1
    assert limits.available("a", "ep_busy", NOW) == FIRST_ROOM - 1
