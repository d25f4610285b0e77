"""Launchers that ops drain, resume and revoke; and those that are too old."""

from contextlib import nullcontext

import pytest

from gateway.domain.kernel import commands as c
from gateway.domain.kernel.errors import ApiError
from gateway.domain.launching.launcher import LauncherMode
from gateway.domain.launching.launcher_mode import LauncherReply, SetLauncherMode
from gateway.domain.launching.version import check_version
from tests.domain.world import REALM, SECRET, TASK, World


def decide(world: World, mode: LauncherMode, launcher: str = "l1") -> LauncherReply:
    answer = world.do(
        SetLauncherMode(launcher_id=launcher, mode=mode, reason="new kernel", actor="key:k")
    )
    assert isinstance(answer, LauncherReply)
    return answer


def called() -> World:
    """A launcher has called that has no room yet."""
    world = World()
    world.claim(capacity=0)
    return world


def claim_of(launcher: str = "l1") -> c.Claim:
    return c.Claim(launcher_id=launcher, providers=(REALM,), capacity=1, secret=SECRET)


def test_a_drained_launcher_gets_no_create_and_finishes_what_it_holds() -> None:
    world = World()
    (job,) = world.claim()
    assert decide(world, "drained").jobs == (job,)
    assert world.trying(job).create
    world.done(job)
    world.emit("task.started")
    world.emit("task.completed", summary="done")
    assert [job.kind for job in world.claim()] == ["destroy"]


def test_a_drained_launcher_works_again_when_it_is_resumed() -> None:
    world = called()
    decide(world, "drained")
    assert world.claim() == []
    assert world.view.launchers["l1"].mode_reason == "new kernel"
    decide(world, "working")
    assert len(world.claim()) == 1


def test_other_launchers_go_on() -> None:
    world = called()
    decide(world, "drained")
    assert len(world.claim("l2")) == 1


def test_a_revoked_launcher_loses_its_leases_and_another_goes_on() -> None:
    world = World()
    (job,) = world.claim()
    decide(world, "revoked")
    assert world.refuses(c.RenewLease(job_id=job.id, lease_token=job.token)) == "lease_lost"
    assert world.refuses(claim_of()) == "launcher_revoked"
    ended = c.ReportEnded(sandboxes=(), launcher_id="l1")
    assert world.refuses(ended) == "launcher_revoked"
    assert [again.task_id for again in world.claim("l2")] == [TASK]


def test_nobody_decides_about_a_launcher_that_never_called() -> None:
    unknown = SetLauncherMode(launcher_id="l1", mode="drained", reason="x", actor="key:k")
    assert World().refuses(unknown) == "not_found"


@pytest.mark.parametrize(
    ("launcher", "gateway", "works"),
    [
        ("1.4.9", "1.5.0", True),
        ("1.3.9", "1.5.0", False),
        ("1.5.0", "1.4.2", True),
        ("2.0.0", "1.9.0", True),
        ("1.9.0", "2.0.0", False),
        ("0.1.0", "0.1.0", True),
        ("", "1.5.0", True),
        ("dev", "1.5.0", True),
    ],
)
def test_a_launcher_may_be_one_minor_version_behind(
    launcher: str, gateway: str, works: bool
) -> None:
    with nullcontext() if works else pytest.raises(ApiError, match="launcher_too_old"):
        check_version(launcher, gateway)
