"""Reports on jobs that are about no attempt: sweeps, and the sandboxes that sweeps have found."""

from msgspec.structs import replace

from gateway.domain.kernel.answers import Accepted
from gateway.domain.kernel.commands import FinishJob
from gateway.domain.kernel.unit_of_work import UnitOfWork
from gateway.domain.launching.inspection import offered_again
from gateway.domain.launching.job import Job, OrphanSandbox
from gateway.domain.launching.sandbox_identity import wrong_name
from gateway.domain.launching.sweep_findings import NOT_THERE, apply_sweep, swept_again
from gateway.domain.tasks.task import TaskError


def orphan_finished(
    unit: UnitOfWork, job: Job, report: FinishJob, now: int, error: TaskError | None = None
) -> Accepted:
    """A sweep is judged and comes again; a stray sandbox is destroyed until it is gone."""
    answered = answered_by(job, error)
    if job.stray is not None:
        unit.put_job(_orphan_after(answered, job.stray, report, now))
    else:
        if error is None:
            unit.new_sweeps.append(apply_sweep(unit, job, report.sandboxes, now))
        unit.put_job(swept_again(answered, now))
    return Accepted()


def answered_by(job: Job, error: TaskError | None = None) -> Job:
    """The job after the report of the launcher that held it; its token still gets that answer."""
    return replace(
        job, answered_lease=job.lease, leased_by=None, lease_expires_at=None, error=error
    )


def _orphan_after(job: Job, stray: OrphanSandbox, report: FinishJob, now: int) -> Job:
    if report.sandbox is not None and report.sandbox.name != stray.name:
        raise wrong_name(stray.name)
    if report.sandbox is not None and report.sandbox.state in NOT_THERE:
        return replace(job, closed_at=now)
    if report.spool_offset is not None:
        job = replace(job, stray=replace(stray, spool_offset=report.spool_offset))
    return offered_again(job, report, now)
