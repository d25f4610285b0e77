"""The input of an explanation, and the explanation itself."""

from typing import Final

from gateway.domain.deliveries.delivery import DeliveryState
from gateway.domain.kernel.ids import job_id
from gateway.domain.kernel.policy import Policy
from gateway.domain.launching.job import Job, JobKind
from gateway.domain.launching.launcher import LauncherCall
from gateway.domain.launching.realm import LIVE_FOR, realm_text
from gateway.domain.operations.switches import Pause, Switch
from gateway.domain.tasks.event import Event
from gateway.domain.tasks.queue_clock import fits
from gateway.domain.tasks.spec import Spec
from gateway.domain.tasks.task import Attempt, Flag, Frozen, Status, Task

NEWEST: Final = 20
"""Number of events read: a task may have tens of thousands."""


class ExplainInput(Frozen, frozen=True, kw_only=True):
    """A task and its related rows, read at one time; `now` in milliseconds."""

    now: int
    policy: Policy
    task: Task
    spec: Spec
    attempts: tuple[Attempt, ...] = ()
    """Oldest first."""
    jobs: tuple[Job, ...] = ()
    launchers: tuple[LauncherCall, ...] = ()
    """The newest calls first; not all launchers are live."""
    key_holders: tuple[str, ...] = ()
    """Tasks that occupy its concurrency key."""
    events: tuple[Event, ...] = ()
    """The newest ones, oldest first."""
    deliveries: tuple[DeliveryState, ...] = ()
    pauses: tuple[Pause, ...] = ()
    """Everything that ops have paused."""
    has_env: bool = False
    """True if there is an `env` that will be erased."""
    is_env_erased: bool = False

    @property
    def attempt(self) -> Attempt | None:
        """The current attempt, if it was ever claimed."""
        return next((each for each in self.attempts if each.number == self.task.attempt), None)

    @property
    def older(self) -> tuple[Attempt, ...]:
        """Earlier attempts whose sandbox may be alive."""
        return tuple(
            each for each in self.attempts if each.number < self.task.attempt and not each.is_gone
        )

    @property
    def live(self) -> tuple[LauncherCall, ...]:
        return tuple(call for call in self.launchers if self.now - call.at < LIVE_FOR)

    @property
    def able(self) -> tuple[LauncherCall, ...]:
        """Live launchers that may take its create job."""
        return tuple(call for call in self._fitting if call.mode == "working")

    @property
    def drained(self) -> tuple[LauncherCall, ...]:
        """Live launchers that could take it, if ops let them take new work."""
        return tuple(call for call in self._fitting if call.mode != "working")

    @property
    def _fitting(self) -> tuple[LauncherCall, ...]:
        return tuple(
            call
            for call in self.live
            if any(fits(self.task, self.attempt, each) for each in call.providers)
        )

    def pause(self, switch: Switch) -> Pause | None:
        """The pause of this switch that concerns the task."""
        mine = (each for each in self.pauses if each.switch == switch and not each.provider)
        return next((each for each in mine if each.concerns(self.task.project)), None)

    @property
    def provider_pauses(self) -> tuple[Pause, ...]:
        """The pauses of providers without which a live launcher could take it; none if another
        realm is open."""
        keys = {
            (*each, call.project)
            for call in self.able
            for each in call.providers
            if fits(self.task, self.attempt, each)
        }
        held = [
            next((each for each in self.pauses if each.provider and each.covers(key)), None)
            for key in sorted(keys)
        ]
        found = [pause for pause in held if pause is not None]
        return tuple(dict.fromkeys(found)) if len(found) == len(held) else ()

    def serving(self, attempt: Attempt) -> tuple[LauncherCall, ...]:
        """Live launchers of the realm of the attempt's sandbox."""
        return tuple(call for call in self.live if attempt.provider_realm in call.providers)

    @property
    def has_just_started(self) -> bool:
        """True while running launchers may not have called the gateway yet."""
        return self.now < self.policy.started_at + LIVE_FOR

    def job(self, kind: JobKind, attempt: int) -> Job | None:
        wanted = (kind, attempt)
        return next((j for j in self.jobs if (j.kind, j.attempt) == wanted and j.is_open), None)

    @property
    def inspected_at(self) -> int | None:
        """End of the newest inspection of the current sandbox."""
        ends = [
            job.closed_at
            for job in self.jobs
            if job.kind == "inspect" and job.attempt == self.task.attempt and job.closed_at
        ]
        return max(ends, default=None)

    def flag(self, code: str) -> Flag | None:
        return next((flag for flag in self.task.flags if flag.code == code), None)

    @property
    def agent_events(self) -> tuple[Event, ...]:
        """The recent applied events of the current agent."""
        return tuple(
            event
            for event in self.events
            if event.source == "agent" and event.applied and event.attempt == self.task.attempt
        )

    @property
    def last_event_at(self) -> int | None:
        """Time of the current agent's last event; None: there is none."""
        if self.agent_events:
            return self.agent_events[-1].at
        silent = self.flag("silent")
        first_event_at = self.attempt.first_event_at if self.attempt else None
        if first_event_at is not None and silent is not None:
            return max(first_event_at, silent.since - self.task.timeouts.heartbeat * 1000)
        return first_event_at

    def newest(self, kind: str) -> Event | None:
        """The newest event of this type among those read."""
        return next((event for event in reversed(self.events) if event.type == kind), None)


def sandbox_realm(attempt: Attempt) -> str:
    """The realm of an attempt's sandbox as `provider@realm`."""
    return realm_text(attempt.provider_realm or ("", ""))


def jobs_of(task: Task, attempts: tuple[Attempt, ...]) -> tuple[str, ...]:
    """Ids of the jobs that may be open, and of the newest inspection of the current sandbox: a task
    may have thousands of closed ones."""
    names = []
    for attempt in attempts:
        is_current = attempt.number == task.attempt
        if is_current or not attempt.is_gone:
            names += [job_id(task.id, attempt.number, kind) for kind in ("create", "destroy")]
            if attempt.inspections:
                names.append(job_id(task.id, attempt.number, "inspect", attempt.inspections))
    return tuple(names)


class Step(Frozen, frozen=True, kw_only=True):
    """A scheduled event, unless something else happens first; `at` in milliseconds."""

    at: int
    what: str


class Reason(Frozen, frozen=True, kw_only=True):
    """Clauses of the summary, and the thing that the task waits for, if any."""

    clauses: tuple[str, ...]
    waiting_for: str | None = None


class Explanation(Frozen, frozen=True, kw_only=True):
    """The answer of `GET …/explain`."""

    status: Status
    summary: str
    waiting_for: str | None
    next: tuple[Step, ...]
    evidence: tuple[str, ...]
