"""Mutants: bugs planted one at a time, in functions of the gateway or launcher; each must be found.

`python -m tests.simulation.mutants` plays seeds on each, and says which one found it; with a NAME,
on that one, and with `--tell` behind it the seed is told in its plainest form.

The old text must occur exactly once, in a function: a rule that has moved is an
error here, and no mutant that quietly plants nothing.
"""

import gc
import importlib
import os
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import chain
from pathlib import Path
from types import CodeType, FunctionType
from typing import Final

from tests.simulation.play import play
from tests.simulation.run import show, silence

ROOT: Final = Path(__file__).parents[2]
SEEDS: Final = 400
"""Seeds that are played at most."""
TRIES: Final = 25
"""Runs that making it plain may cost here."""
RESTLESS: Final = 15_000
"""Steps of a run with a bug that does not come to rest: of 500 without one, none took 9,000."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Mutant:
    """One bug: a file, what stands there, and what stands there instead."""

    file: str
    old: str
    new: str
    found_by: int = 0
    """The seed that found it last: it is played first."""

    @property
    def module(self) -> str:
        """The name under which the file is imported."""
        return self.file.removesuffix(".py").removesuffix("/__init__").replace("/", ".")


MUTANTS: Final[dict[str, Mutant]] = {
    "paused launching launches": Mutant(
        file="gateway/domain/operations/switches.py",
        old="[pause for pause in self.pauses(switch, project) if pause.is_on(now)]",
        new="[pause for pause in self.pauses(switch, project) if pause.ended_at]",
        found_by=13,
    ),
    "a drained launcher gets new work": Mutant(
        file="gateway/domain/launching/claim.py",
        old="            command = replace(command, capacity=0)",
        new="            pass",
    ),
    "a resumed launcher is not woken": Mutant(
        file="gateway/ledger.py",
        old='    is_work |= any(entry.action == ACTIONS["working"] for entry in unit.audit)\n',
        new="",
        found_by=289,
    ),
    "a bulk action has no end": Mutant(
        file="gateway/domain/operations/bulk_steps.py",
        old="    if moved.taken == moved.matched:",
        new="    if moved.taken > moved.matched:",
        found_by=6,
    ),
    "a token that was revoked still counts": Mutant(
        file="gateway/domain/launching/reports.py",
        old="    if not job.is_proved_by(command.lease_token):",
        new="    if not command.lease_token:",
        found_by=57,
    ),
    "a claim does not change the token": Mutant(
        file="gateway/domain/launching/claim.py",
        old="        lease=job.lease + 1,\n        lease_secret=_secret_of(job, command),",
        new="        lease_secret=job.lease_secret or _secret_of(job, command),",
    ),
    "a released job keeps its token": Mutant(
        file="gateway/domain/launching/claim.py",
        old='        lease=job.lease + 1,\n        lease_secret="",\n',
        new="",
        found_by=169,
    ),
    "a lease runs out for ever later": Mutant(
        file="gateway/domain/tasks/due_clocks.py",
        old="    if job.lease_expires_at <= now:",
        new="    if job.lease_expires_at < now - 3_600_000:",
        found_by=97,
    ),
    "the text of a late piece is forgotten": Mutant(
        file="gateway/domain/agents/agent_events.py",
        old="    change.attach(event, piece)",
        new="    if event.applied:\n        change.attach(event, piece)",
        found_by=65,
    ),
    "a word that came twice counts twice": Mutant(
        file="gateway/domain/agents/agent_events.py",
        old="    if before is None:\n        return False",
        new="    if before is None or not command.spooled:\n        return False",
    ),
    "a word is applied after the end": Mutant(
        file="gateway/domain/agents/agent_events.py",
        old="    if change.task.status.is_terminal:\n        return ApiError(",
        new="    if change.task.status is Status.EXPIRED:\n        return ApiError(",
        found_by=10,
    ),
    "a word of an older attempt is applied": Mutant(
        file="gateway/domain/agents/agent_events.py",
        old="    if attempt.number < change.task.attempt:",
        new="    if attempt.number < change.task.attempt - 1:",
        found_by=75,
    ),
    "the next attempt does not wait for the old sandbox": Mutant(
        file="gateway/domain/tasks/finish.py",
        old="    if older and change.task.status is Status.QUEUED:",
        new="    if len(older) > 1 and change.task.status is Status.QUEUED:",
        found_by=2,
    ),
    "an idempotency key is forgotten": Mutant(
        file="gateway/domain/kernel/idempotency.py",
        old="        if idempotency is None:\n            return\n",
        new="        if idempotency is None or idempotency.key:\n            return\n",
    ),
    "an event is written without its delivery": Mutant(
        file="gateway/domain/kernel/unit_of_work.py",
        old="            if endpoint.wants(event.type)\n",
        new="            if endpoint.wants(event.type) and event.attempt == 1\n",
    ),
    "what befalls an endpoint is told to nobody": Mutant(
        file="gateway/domain/deliveries/endpoint_events.py",
        old="data, unit.outbox.directory.others(endpoint), now=now)",
        new="data, (), now=now)",
        found_by=10,
    ),
    "an answer is given for what was not committed": Mutant(
        file="gateway/ledger.py",
        old="            return [exc] * len(commands)",
        new="            return [_outcome(UnitOfWork(policy=self.policy), c, 0) for c in commands]",
        found_by=2,
    ),
    "one look is believed": Mutant(
        file="gateway/domain/launching/inspection.py",
        old="    if attempt.missing_since is not None and later <= job.not_before:",
        new="    if later >= job.not_before:",
        found_by=52,
    ),
    "a look by name proves absence at once": Mutant(
        file="gateway/domain/launching/inspection.py",
        old=" + change.policy.create_limit + change.policy.gone_margin",
        new="",
        found_by=183,
    ),
    "a sandbox is created after its agent spoke": Mutant(
        file="gateway/domain/launching/reports.py",
        old="    if is_over or is_early or attempt.first_event_at is not None:",
        new="    if is_over or is_early:",
        found_by=18,
    ),
    "a destroy is confirmed and not done": Mutant(
        file="launcher/jobs/destroy.py",
        old="    await provider.remove(key)\n",
        new="",
    ),
    "a spool is deleted unread": Mutant(
        file="launcher/jobs/destroy.py",
        old="    if piece.lines or piece.has_more:",
        new="    if piece.has_more:",
        found_by=4,
    ),
    "an outage counts against leases": Mutant(
        file="gateway/domain/tasks/due_clocks.py",
        old="        _move_leases(unit, now)\n",
        new="",
        found_by=2,
    ),
    "an outage counts against clocks": Mutant(
        file="gateway/domain/tasks/due_clocks.py",
        old="is not None and last < at <= now",
        new="is not None and last < at < now - 30_000",
        found_by=2,
    ),
    "a launch counts twice": Mutant(
        file="gateway/domain/launching/claim.py",
        old="launches=attempt.launches + 1",
        new="launches=attempt.launches + 2",
    ),
    "a fourth launch": Mutant(
        file="gateway/domain/launching/launch.py",
        old=" <= len(RELAUNCH_BACKOFF):\n        at = change.now + RELAUNCH_BACKOFF[",
        new=" <= 3:\n        at = change.now + (*RELAUNCH_BACKOFF, 30_000)[",
        found_by=50,
    ),
    "claimers are not woken": Mutant(
        file="gateway/ledger.py",
        old='        topics.add("jobs")',
        new="        pass",
    ),
    "new deliveries are not handed over": Mutant(
        file="gateway/ledger.py",
        old="                follow(unit)\n",
        new="                pass\n",
        found_by=1,
    ),
    "a word moves the hard clock": Mutant(
        file="gateway/domain/tasks/run_clocks.py",
        old="        change.schedule(heartbeat=heartbeat, stall_end=None)\n",
        new="        change.schedule(heartbeat=heartbeat, run=heartbeat)\n",
    ),
    "the hard clock asks and never judges": Mutant(
        file="gateway/domain/tasks/due_clocks.py",
        old="    change.schedule(run_end=change.now + change.policy.drain)",
        new="    change.schedule(run_end=None)",
        found_by=105,
    ),
    "a destroy that failed is not offered again": Mutant(
        file="gateway/domain/launching/inspection.py",
        old="    return replace(job, offers=job.offers + 1, not_before=now + wait)",
        new="    return replace(job, offers=job.offers + 1, closed_at=now + wait)",
        found_by=1,
    ),
    "endpoints are given away amid attempts": Mutant(
        file="gateway/store/postgres/session.py",
        old="surplus.difference(map(partition, subscriber.busy_endpoints))",
        new="surplus",
        found_by=49,
    ),
    "a gateway believes that it was told of everything": Mutant(
        file="gateway/store/postgres/session.py",
        old="is_notified and self._informed.add(unit.seq, unit.newest)",
        new="is_notified",
        found_by=508,
    ),
    "batches of two gateways change what concerns both": Mutant(
        file="gateway/store/postgres/batch.py",
        old="        if not self._is_alone and",
        new="        if self._is_alone and",
        found_by=101,
    ),
    "cached rows grow old": Mutant(
        file="gateway/store/sql/batch.py",
        old="        if version == self.cached.version:",
        new="        if version:",
    ),
}


def plant(name: str) -> None:
    """From now on the functions around the old text have the bug. To import them anew, and all that
    has imported them, would take longer than to play the seed."""
    mutant = MUTANTS[name]
    importlib.import_module(mutant.module)
    path = ROOT / mutant.file
    source = path.read_text()
    if source.count(mutant.old) != 1:
        raise ValueError(f"{mutant.file} has {source.count(mutant.old)} times: {mutant.old}")
    after = _codes(source.replace(mutant.old, mutant.new), path)
    functions = [each for each in gc.get_objects() if isinstance(each, FunctionType)]
    planted = [
        (each, bug)
        for each in functions
        if (bug := after.get(_code_id(each.__code__))) and bug != each.__code__
    ]
    if not planted:
        raise ValueError(f"no function of {mutant.file} has: {mutant.old}")
    for function, bug in planted:
        function.__code__ = bug


_CodeId = tuple[str, str, int]
"""The file of a function, its qualified name and its first line."""


def _codes(source: str, path: Path) -> dict[_CodeId, CodeType]:
    return {_code_id(code): code for code in _parts(compile(source, path, "exec"))}


def _parts(code: CodeType) -> Iterator[CodeType]:
    for part in code.co_consts:
        if isinstance(part, CodeType):
            yield part
            yield from _parts(part)


def _code_id(code: CodeType) -> _CodeId:
    return code.co_filename, code.co_qualname, code.co_firstlineno


def hunt(name: str) -> int | None:
    """The seed that fails with this bug in the process, among the one that found it last and so
    many from zero."""
    plant(name)
    silence()
    gc.disable()
    for seed in chain([MUTANTS[name].found_by], range(SEEDS)):
        if play(seed, most_steps=RESTLESS).failure is not None:
            return seed
    return None


def main() -> int:
    """0, if every mutant was found."""
    name, *options = sys.argv[1:] or (None,)
    names = MUTANTS if name is None else (name,)
    codes = [_apart(each, is_verbose="--tell" in options) for each in names]
    return max(codes)


def _apart(name: str, *, is_verbose: bool) -> int:
    """The exit code of a process of its own, which has the bug and has played nothing yet."""
    sys.stdout.flush()
    child = os.fork()
    if child:
        return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    code = 1
    try:
        code = _hunt(name, is_verbose=is_verbose)
        sys.stdout.flush()
    finally:
        os._exit(code)


def _hunt(name: str, *, is_verbose: bool) -> int:
    seed = hunt(name)
    found = "not found" if seed is None else f"found by seed {seed}"
    sys.stdout.write(f"{name}: {found}\n")
    if is_verbose and seed is not None:
        show(seed, tries=TRIES)
    return 1 if seed is None else 0


if __name__ == "__main__":
    sys.exit(main())
