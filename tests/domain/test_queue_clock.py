"""Tasks that wait for a launcher: whom they wait for, how long, and what does not count."""

import pytest
from msgspec.structs import replace

from gateway.domain.kernel import commands as c
from gateway.wire.launcher import LaunchError
from tests.domain.world import REALM, TASK, World

BROKEN = LaunchError(code="provider_unavailable", message="503", retryable=True)


def deserted(**spec: object) -> World:
    """A world in which launchers call only when told to."""
    world = World(**spec)
    world.is_deserted = True
    return world


def fail(world: World) -> None:
    (job,) = world.claim()
    world.do(c.FailJob(job_id=job.id, lease_token=job.token, error=BROKEN))


def is_flagged(world: World) -> bool:
    return world.task.has_flag("no_launcher")


def call(world: World, *places: tuple[str, str]) -> None:
    """A launcher calls that has no room."""
    world.claim(capacity=0, providers=list(places or (REALM,)))


def test_a_task_that_nobody_live_can_take_says_so_after_30_seconds() -> None:
    world = deserted()
    world.pass_seconds(29.999)
    assert not is_flagged(world)
    world.pass_seconds(0.001)
    assert is_flagged(world)
    assert world.types[-1] == "task.stalled"
    assert world.status == "queued"


def test_it_is_cleared_by_the_claim_and_not_by_a_call() -> None:
    world = deserted()
    world.pass_seconds(30)
    call(world)
    assert is_flagged(world)
    world.claim()
    assert not is_flagged(world)
    assert world.types[-1] == "task.recovered"


def test_a_launcher_without_room_is_no_reason_for_a_flag() -> None:
    world = deserted()
    call(world)
    for _ in range(10):
        world.pass_seconds(50)
        call(world)
    assert not is_flagged(world)
    assert world.task.clocks.no_launcher is None


@pytest.mark.parametrize(
    ("spec", "place", "flagged"),
    [
        pytest.param({}, ("docker", "d1"), False, id="any provider will do"),
        pytest.param({"provider": "docker"}, ("docker", "d1"), False, id="the one that is named"),
        pytest.param({"provider": "docker"}, REALM, True, id="another than the one named"),
    ],
)
def test_only_a_launcher_that_can_take_it_counts(
    spec: dict[str, object], place: tuple[str, str], flagged: bool
) -> None:
    world = deserted(**spec)
    world.pass_seconds(1)
    call(world, place)
    world.pass_seconds(29)
    assert is_flagged(world) is flagged


def test_a_launcher_that_goes_leaves_its_tasks_flagged_60_seconds_after_its_last_call() -> None:
    world = deserted()
    call(world)
    world.pass_seconds(59.999)
    assert not is_flagged(world)
    world.pass_seconds(0.001)
    assert is_flagged(world)


def test_a_task_not_yet_30_seconds_old_is_flagged_when_it_is() -> None:
    world = deserted(notBefore=1_790_000_000_000 + 45_000)
    call(world)
    world.pass_seconds(60)
    assert not is_flagged(world)
    world.pass_seconds(15)
    assert is_flagged(world)


def test_a_gateway_that_just_started_waits_60_seconds_before_it_says_so() -> None:
    world = deserted()
    world.view.policy = replace(world.view.policy, started_at=world.now + 20_000)
    world.pass_seconds(30)
    world.pass_seconds(49.999)
    assert not is_flagged(world)
    world.pass_seconds(0.001)
    assert is_flagged(world)


def test_a_relaunch_waits_for_the_realm_of_its_sandbox() -> None:
    world = deserted()
    (job,) = world.claim()
    world.trying(job)
    world.do(c.FailJob(job_id=job.id, lease_token=job.token, error=BROKEN))
    world.pass_seconds(40)
    call(world, ("docker", "d1"))
    world.pass_seconds(20)
    assert is_flagged(world)


def test_a_lease_that_ran_out_and_nobody_takes_up_is_flagged() -> None:
    world = deserted()
    world.claim()
    world.pass_seconds(60)
    assert world.status == "launching"
    world.pass_seconds(29.999)
    assert not is_flagged(world)
    world.pass_seconds(0.001)
    assert is_flagged(world)
    world.claim("l2")
    assert not is_flagged(world)


def test_a_cancelled_task_waits_for_no_launcher() -> None:
    world = deserted()
    (job,) = world.claim()
    world.trying(job)
    world.do(c.FailJob(job_id=job.id, lease_token=job.token, error=BROKEN))
    world.do(c.CancelTask(task_id=TASK, project="default"))
    world.pass_seconds(100)
    assert not is_flagged(world)


def test_the_queue_clock_stands_still_while_the_concurrency_key_is_taken() -> None:
    world = deserted(timeouts={"queueSeconds": 60}, concurrencyKey="acme")
    world.pass_seconds(20)
    world.hold_key(by_another=True)
    world.pass_seconds(30)
    world.hold_key(by_another=False)
    world.pass_seconds(39.999)
    assert world.status == "queued"
    world.pass_seconds(0.001)
    assert world.status == "expired"


def test_it_stands_still_as_often_and_as_long_as_the_key_is_taken() -> None:
    world = deserted(timeouts={"queueSeconds": 60}, concurrencyKey="acme")
    for _ in range(5):
        world.pass_seconds(10)
        world.hold_key(by_another=True)
        world.pass_seconds(700)
        assert world.status == "queued"
        world.hold_key(by_another=False)
    world.pass_seconds(9.999)
    assert world.status == "queued"
    world.pass_seconds(0.001)
    assert world.status == "expired"


def test_a_key_that_is_taken_when_the_time_is_over_is_waited_for() -> None:
    world = deserted(timeouts={"queueSeconds": 60}, concurrencyKey="acme")
    world.pass_seconds(59)
    world.hold_key(by_another=True)
    world.pass_seconds(500)
    assert world.status == "queued"
    world.hold_key(by_another=False)
    assert len(world.claim()) == 1


def test_a_relaunch_has_what_the_key_left_of_its_queue_clock() -> None:
    world = deserted(timeouts={"queueSeconds": 60}, concurrencyKey="acme")
    world.hold_key(by_another=True)
    world.pass_seconds(50)
    world.hold_key(by_another=False)
    world.pass_seconds(20)
    fail(world)
    world.pass_seconds(5 + 39.999)
    assert world.status == "queued"
    world.pass_seconds(0.001)
    assert world.status == "expired"


def test_a_launch_in_its_backoff_does_not_hold_the_key() -> None:
    world = deserted(concurrencyKey="acme")
    fail(world)
    assert world.view.keys.in_use["default/acme"] == 0
    (period,) = world.view.keys.holds["default/acme"]
    assert period.freed_at == world.now


def test_nobody_is_missed_by_a_task_whose_key_is_taken() -> None:
    world = deserted(concurrencyKey="acme")
    world.hold_key(by_another=True)
    world.pass_seconds(600)
    assert not is_flagged(world)
    world.hold_key(by_another=False)
    world.pass_seconds(29.999)
    assert not is_flagged(world)
    world.pass_seconds(0.001)
    assert is_flagged(world)
