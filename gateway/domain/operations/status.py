"""The status of an installation: its problems, grouped by cause, with the command for each."""

import shlex
from collections.abc import Iterator, Mapping
from typing import Final

from gateway.domain.explain.advice import ADVICE
from gateway.domain.operations.switches import ALL, Pause, Switch
from gateway.domain.tasks.task import Frozen

HOUR: Final = 3_600_000
"""Ends older than this are no problem of now (milliseconds)."""
LATE: Final = 60_000
"""A delivery that has been due for longer is late (milliseconds)."""
OLD: Final = 300_000
"""A task that has been claimable for longer is old in the queue (milliseconds)."""


class Group(Frozen, frozen=True, kw_only=True):
    """Tasks with one cause."""

    code: str
    count: int
    since: int
    """Of the first of them (milliseconds)."""
    example: str | None
    """The id of a new one; None where none is at hand."""


class FailingEndpoint(Frozen, frozen=True, kw_only=True):
    """An endpoint that takes nothing."""

    id: str
    origin: str
    is_enabled: bool
    since: int


class StatusFacts(Frozen, frozen=True, kw_only=True):
    """The rows that the status is computed from."""

    project: str | None = None
    """The only project they are about; None: all."""
    tasks: Mapping[str, int]
    """Living tasks by state."""
    ended: int
    """Tasks that ended within the last hour."""
    flags: tuple[Group, ...]
    """By flag."""
    failures: tuple[Group, ...]
    """Ends of the last hour that are no success, by error code or state."""
    oldest_claimable: Group | None
    """The tasks that a launcher may claim; None: there are none."""
    endpoints: tuple[FailingEndpoint, ...]
    dead: Group | None
    """Deliveries that were given up."""
    due: int
    """Pending deliveries whose time has come."""
    oldest_due_at: int | None
    launchers: int
    """Live ones that take new work."""
    pauses: tuple[Pause, ...] = ()
    """Pauses that concern the project."""

    def is_paused(self, switch: Switch) -> bool:
        """True if the switch is off for everything that the facts are about."""
        whole = (pause for pause in self.pauses if not pause.provider and self.is_whole(pause))
        return any(pause.switch == switch for pause in whole)

    def is_whole(self, pause: Pause) -> bool:
        return pause.project in (ALL, self.project)


class Refusing(Frozen, frozen=True, kw_only=True):
    """The gateway refuses writes, because none can be stored."""

    reason: str
    since: int


class DiskState(Frozen, frozen=True, kw_only=True):
    """The disk of the database, in bytes."""

    free: int
    min_free: int
    """Below it the disk is low."""
    refusing: Refusing | None = None
    """None: it can be written."""


class Danger(Frozen, frozen=True, kw_only=True):
    """A danger of the place that a gateway runs in, and what ends it."""

    code: str
    detail: str
    hint: str


class Problem(Frozen, frozen=True, kw_only=True):
    """One cause."""

    code: str
    count: int
    since: int
    summary: str
    example: str | None
    do: str
    """The command that shows more, or helps."""


def problems(
    facts: StatusFacts,
    now: int,
    disk: DiskState | None = None,
    *,
    disk_low_since: int | None = None,
    refusing: Refusing | None = None,
) -> tuple[Problem, ...]:
    """The problems: the disk first, then switches, launchers, flags, deliveries, and failures."""
    found = [
        *_read_only(disk.refusing if disk else refusing),
        *_of_disk(disk, disk_low_since or now),
        *(_paused(pause, now) for pause in facts.pauses if not pause.provider),
        *(_provider_paused(pause, facts, now) for pause in facts.pauses if pause.provider),
        *_of_launchers(facts, now),
        *(_flagged(group) for group in facts.flags if group.code != "provider_down"),
        *_of_deliveries(facts, now),
        *map(_failed, facts.failures),
    ]
    return tuple(found)


def _read_only(refusing: Refusing | None) -> Iterator[Problem]:
    if refusing is not None:
        yield Problem(
            code="read_only",
            count=1,
            since=refusing.since,
            summary=f"nothing can be written ({refusing.reason.rstrip('.')}): reads are answered, "
            "writes get 503; it goes on by itself once the disk takes writes",
            example=None,
            do="slipgate status --watch",
        )


def _of_disk(disk: DiskState | None, since: int) -> Iterator[Problem]:
    if disk is not None and disk.free < disk.min_free:
        yield Problem(
            code="disk_low",
            count=1,
            since=since,
            summary=f"the disk of the database has only {disk.free >> 20} MiB left; "
            "once it is full, every write is refused with 503",
            example=None,
            do="slipgate status",
        )


EFFECTS: Final[Mapping[Switch, str]] = {
    "intake": "new tasks are refused",
    "launching": "tasks wait, and their queue clocks stand still",
    "delivering": "webhooks wait, and none is lost",
}
"""The effect of each switch while it is paused."""


def _paused(pause: Pause, now: int) -> Problem:
    scope = "" if pause.project == ALL else f" of project {pause.project}"
    option = "" if pause.project == ALL else f" --project={shlex.quote(pause.project)}"
    end = "" if pause.until is None else f", for {(pause.until - now) // 60_000 + 1} more min"
    return Problem(
        code=f"{pause.switch}_paused",
        count=1,
        since=pause.since,
        summary=f"{pause.switch}{scope} is paused by {pause.actor}{end} ({pause.reason}): "
        f"{EFFECTS[pause.switch]}",
        example=None,
        do=f"slipgate switches resume {pause.switch}{option}",
    )


def _provider_paused(pause: Pause, facts: StatusFacts, now: int) -> Problem:
    """A provider of which the gateway itself has found that it is down, or that ops have paused."""
    waiting = next((group for group in facts.flags if group.code == "provider_down"), None)
    tasks = f"; {_tasks(waiting.count)} can go nowhere else" if waiting else ""
    probe = ""
    if pause.probe_at is not None and pause.probe_at > now:
        probe = f"; a launch is tried in {(pause.probe_at - now) // 1000} s"
    elif pause.probe_at is not None:
        probe = "; the next launch that can go nowhere else is tried"
    option = "" if pause.project == ALL else f" --project={shlex.quote(pause.project)}"
    return Problem(
        code="provider_paused" if pause.code is None else "provider_down",
        count=waiting.count if waiting else 1,
        since=pause.since,
        summary=f"launching at {pause.provider} is paused by {pause.actor} "
        f"({pause.reason}){tasks}{probe}",
        example=waiting.example if waiting else None,
        do=f"slipgate switches resume launching --provider={shlex.quote(pause.provider)}{option}",
    )


def _of_launchers(facts: StatusFacts, now: int) -> Iterator[Problem]:
    waiting = facts.oldest_claimable
    if facts.is_paused("launching"):
        return
    known = {"no_launcher", "provider_down"}
    if waiting is None or any(group.code in known for group in facts.flags):
        return
    if facts.launchers == 0:
        yield Problem(
            code="no_launcher",
            count=waiting.count,
            since=waiting.since,
            summary=f"{_tasks(waiting.count)} wait, and no launcher calls",
            example=waiting.example,
            do="slipgate launchers list",
        )
    elif now - waiting.since > OLD:
        yield Problem(
            code="queue_old",
            count=waiting.count,
            since=waiting.since,
            summary=f"{_tasks(waiting.count)} wait for a launcher with room",
            example=waiting.example,
            do="slipgate launchers list",
        )


FLAGS: Final = {
    "sandbox_unconfirmed": "nobody could confirm that the sandbox is destroyed",
    "cleanup_pending": "the sandbox is still to be destroyed",
    "realm_missing": "no launcher of the sandbox's realm calls",
    "wrong_snapshot": "the sandbox came up from another snapshot",
    "unreachable": "the sandbox runs, and its agent does not report",
    "silent": "the agent is silent",
    "no_progress": "the agent reports, and does not get on",
    "launch_slow": "the launch takes long",
    "no_launcher": "no launcher can take it",
}


def _flagged(group: Group) -> Problem:
    return Problem(
        code=group.code,
        count=group.count,
        since=group.since,
        summary=f"{_tasks(group.count)}: {FLAGS.get(group.code, group.code)}",
        example=group.example,
        do=_explain(group, "--flag"),
    )


def _failed(group: Group) -> Problem:
    advice = ADVICE.get(group.code)
    return Problem(
        code=group.code,
        count=group.count,
        since=group.since,
        summary=f"{_tasks(group.count)} of the last hour ended with {group.code}"
        + (f": {advice}" if advice else ""),
        example=group.example,
        do=_explain(group, "--error-code"),
    )


def _explain(group: Group, option: str) -> str:
    if group.example is None:
        return f"slipgate tasks list {option}={group.code}"
    return f"slipgate tasks explain {group.example}"


def _of_deliveries(facts: StatusFacts, now: int) -> Iterator[Problem]:
    for endpoint in facts.endpoints:
        state = "takes nothing" if endpoint.is_enabled else "is disabled"
        yield Problem(
            code="endpoint_failing" if endpoint.is_enabled else "endpoint_disabled",
            count=1,
            since=endpoint.since,
            summary=f"the endpoint at {endpoint.origin} {state}",
            example=endpoint.id,
            do=f"slipgate endpoints show {endpoint.id}",
        )
    if facts.dead is not None:
        yield Problem(
            code="deliveries_dead",
            count=facts.dead.count,
            since=facts.dead.since,
            summary=f"{facts.dead.count} deliveries were given up",
            example=facts.dead.example,
            do="slipgate deliveries list --status=dead",
        )
    is_held = facts.is_paused("delivering")
    if facts.oldest_due_at is not None and not is_held and now - facts.oldest_due_at > LATE:
        yield Problem(
            code="deliveries_late",
            count=facts.due,
            since=facts.oldest_due_at,
            summary=f"{facts.due} deliveries are due, the first since long",
            example=None,
            do="slipgate deliveries list --status=pending",
        )


def _tasks(count: int) -> str:
    return "1 task" if count == 1 else f"{count} tasks"
