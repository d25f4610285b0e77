"""A sweep that is wanted before its time."""

from msgspec.structs import replace

from gateway.domain.kernel.answers import Accepted
from gateway.domain.kernel.ids import sweep_id
from gateway.domain.kernel.unit_of_work import UnitOfWork
from gateway.domain.launching.sweep import SweepNow


def sweep_now(unit: UnitOfWork, command: SweepNow, now: int) -> Accepted:
    """Offers each realm's sweep at once; one that is under way is left alone."""
    for key in command.realms:
        job = unit.jobs.get(sweep_id(*key))
        if job is not None and job.is_free and job.not_before > now:
            unit.put_job(replace(job, not_before=now))
    return Accepted()
