"""The modes of launchers: ops let one finish its work, or take it out at once."""

from collections.abc import Mapping
from typing import Final

from gateway.domain.kernel.answers import Answer
from gateway.domain.kernel.errors import ApiError
from gateway.domain.kernel.read_set import Command, ReadSet
from gateway.domain.kernel.unit_of_work import UnitOfWork
from gateway.domain.launching.claim import release
from gateway.domain.launching.job import Job
from gateway.domain.launching.launcher import LauncherCall, LauncherMode

ACTIONS: Final[Mapping[LauncherMode, str]] = {
    "working": "launcher.resumed",
    "drained": "launcher.drained",
    "revoked": "launcher.revoked",
}
"""The names of the decisions in the audit log."""


class SetLauncherMode(Command, frozen=True, kw_only=True):
    """`POST /v1/launchers/{id}/drain`, `resume` or `revoke`."""

    launcher_id: str
    mode: LauncherMode
    reason: str

    @property
    def needs(self) -> ReadSet:
        return ReadSet(held_by=(self.launcher_id,))


class LauncherReply(Answer, frozen=True, kw_only=True):
    """The launcher after the command, and the jobs that it holds."""

    launcher: LauncherCall
    jobs: tuple[Job, ...]


def set_launcher_mode(unit: UnitOfWork, command: SetLauncherMode, now: int) -> LauncherReply:
    """Stores the mode. A revoked launcher loses its leases at once: others go on with its jobs.

    Raises:
        ApiError: `not_found`.
    """
    known = unit.launchers.get(command.launcher_id)
    if known is None:
        raise ApiError("not_found", "There is no such launcher.")
    launcher = known.decided(command.mode, command.reason, command.actor, now)
    unit.launchers.put(launcher)
    action = ACTIONS[command.mode]
    unit.audit.emit(action, launcher.launcher_id, launcher.project or None, reason=command.reason)
    if launcher.mode == "revoked":
        for job in _held(unit, command.launcher_id):
            release(unit, job, now)
    return LauncherReply(launcher=launcher, jobs=tuple(_held(unit, command.launcher_id)))


def _held(unit: UnitOfWork, launcher_id: str) -> list[Job]:
    return [job for job in unit.jobs.values() if job.is_open and job.leased_by == launcher_id]
