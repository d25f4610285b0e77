"""Everything an explanation is drawn from, read at one moment."""

from typing import Final

from gateway.domain.deliveries.delivery import PendingDelivery
from gateway.domain.kernel.ids import job_id
from gateway.domain.kernel.policy import Policy
from gateway.domain.kernel.unit_of_work import LauncherCall
from gateway.domain.launching.job import Job, JobKind
from gateway.domain.launching.realm import LIVE_FOR, ProviderRealm
from gateway.domain.tasks.event import Event
from gateway.domain.tasks.queue_clock import fits
from gateway.domain.tasks.spec import Spec
from gateway.domain.tasks.task import Attempt, Flag, Frozen, Status, Task

NEWEST: Final = 20
"""So many events are looked at: a task may have tens of thousands."""


class ExplainInput(Frozen, frozen=True, kw_only=True):
    """A task and what surrounds it; `now` in milliseconds."""

    now: int
    policy: Policy
    task: Task
    spec: Spec
    attempts: tuple[Attempt, ...] = ()
    """Oldest first."""
    jobs: tuple[Job, ...] = ()
    launchers: tuple[LauncherCall, ...] = ()
    """Who has called, the latest first; not all of them are live."""
    key_holders: tuple[str, ...] = ()
    """The tasks that hold its concurrency key."""
    events: tuple[Event, ...] = ()
    """The newest ones, oldest first."""
    deliveries: tuple[PendingDelivery, ...] = ()
    has_env: bool = False
    """Whether there is an `env` that will be erased."""
    is_env_erased: bool = False

    @property
    def attempt(self) -> Attempt | None:
        """The current attempt, if a launcher has ever taken it."""
        return next((each for each in self.attempts if each.number == self.task.attempt), None)

    @property
    def older(self) -> tuple[Attempt, ...]:
        """Earlier attempts whose sandbox is not known to be gone."""
        return tuple(
            each for each in self.attempts if each.number < self.task.attempt and not each.is_gone
        )

    @property
    def live(self) -> tuple[LauncherCall, ...]:
        """The launchers that called within the last minute."""
        return tuple(call for call in self.launchers if self.now - call.at < LIVE_FOR)

    @property
    def able(self) -> tuple[LauncherCall, ...]:
        """The live launchers that may take its create job."""
        return tuple(
            call
            for call in self.live
            if any(fits(self.task, self.attempt, place) for place in call.providers)
        )

    def serving(self, attempt: Attempt) -> tuple[LauncherCall, ...]:
        """The live launchers of the realm of an attempt's sandbox."""
        return tuple(call for call in self.live if attempt.provider_realm in call.providers)

    @property
    def has_just_started(self) -> bool:
        """Whether launchers that live may not have had the time to call the gateway."""
        return self.now < self.policy.started_at + LIVE_FOR

    def job(self, kind: JobKind, attempt: int) -> Job | None:
        """Its open job of this kind."""
        wanted = (kind, attempt)
        return next((j for j in self.jobs if (j.kind, j.attempt) == wanted and j.is_open), None)

    @property
    def inspected_at(self) -> int | None:
        """When the newest look at the current sandbox was over."""
        looks = [
            job.closed_at
            for job in self.jobs
            if job.kind == "inspect" and job.attempt == self.task.attempt and job.closed_at
        ]
        return max(looks, default=None)

    def flag(self, code: str) -> Flag | None:
        """The flag of this code, if it is set."""
        return next((flag for flag in self.task.flags if flag.code == code), None)

    @property
    def words(self) -> tuple[Event, ...]:
        """What the current agent said of late, as far as it was applied."""
        return tuple(
            event
            for event in self.events
            if event.source == "agent" and event.applied and event.attempt == self.task.attempt
        )

    @property
    def last_word_at(self) -> int | None:
        """When the current agent last spoke; None: never, as far as is known."""
        if self.words:
            return self.words[-1].at
        silent = self.flag("silent")
        spoke_at = self.attempt.spoke_at if self.attempt else None
        if spoke_at is not None and silent is not None:
            return max(spoke_at, silent.since - self.task.timeouts.heartbeat * 1000)
        return spoke_at

    def newest(self, kind: str) -> Event | None:
        """The newest event of this type within what was read."""
        return next((event for event in reversed(self.events) if event.type == kind), None)


def sandbox_realm(attempt: Attempt) -> str:
    """Where an attempt's sandbox is: `local@<realm>`, as a launcher claims it."""
    return realm_text(attempt.provider_realm or ("", ""))


def realm_text(place: ProviderRealm) -> str:
    """A place as a launcher claims with it; a bare name means the empty realm."""
    provider, realm = place
    return f"{provider}@{realm}" if realm else provider


def jobs_of(task: Task, attempts: tuple[Attempt, ...]) -> tuple[str, ...]:
    """The ids of the jobs that may be open, and of the newest look at the current sandbox: a
    task that only spools has thousands of closed ones."""
    names = []
    for attempt in attempts:
        is_current = attempt.number == task.attempt
        if is_current or not attempt.is_gone:
            names += [job_id(task.id, attempt.number, kind) for kind in ("create", "destroy")]
            if attempt.inspections:
                names.append(job_id(task.id, attempt.number, "inspect", attempt.inspections))
    return tuple(names)


class Step(Frozen, frozen=True, kw_only=True):
    """Something that happens by itself unless something else comes first; `at` in milliseconds."""

    at: int
    what: str


class Reason(Frozen, frozen=True, kw_only=True):
    """The clauses of a sentence, and what the task waits for; None: nothing is left to wait for."""

    clauses: tuple[str, ...]
    waiting_for: str | None = None


class Explanation(Frozen, frozen=True, kw_only=True):
    """What `GET …/explain` answers."""

    status: Status
    summary: str
    waiting_for: str | None
    next: tuple[Step, ...]
    evidence: tuple[str, ...]
