"""An outage of ours throws no good work away."""

from gateway.domain.kernel import commands as c
from tests.domain.world import World


def resume(world: World, seconds: int) -> None:
    """We were away for so long; the first thing that commits is the pulse."""
    world.do(c.Pulse(at=world.now))
    world.now += seconds * 1000
    world.do(c.Pulse(at=world.now))
    world.pass_seconds(0)


def test_a_lease_outlives_our_absence() -> None:
    world = World()
    (job,) = world.claim()
    resume(world, 120)
    world.pass_seconds(59)
    world.do(c.RenewLease(job_id=job.id, lease_token=job.token))
    assert world.status == "launching"


def test_clocks_that_came_due_are_moved_by_the_gap_but_at_most_a_heartbeat() -> None:
    world = World(timeouts={"heartbeatSeconds": 30, "runSeconds": 100})
    world.launch()
    resume(world, 200)
    assert world.task.flags == ()
    assert world.task.clocks.run == world.now + 30_000
    world.pass_seconds(30)
    assert world.task.has_flag("silent")


def test_a_short_gap_moves_nothing() -> None:
    world = World(timeouts={"heartbeatSeconds": 10})
    world.launch()
    resume(world, 15)
    assert world.task.has_flag("silent")


def test_a_clock_that_was_not_missed_stays() -> None:
    world = World()
    world.launch()
    run = world.task.clocks.run
    resume(world, 400)
    assert world.task.clocks.run == run
    assert world.task.clocks.heartbeat == world.now + 300_000
