"""A project's claims beside thousands of waiting tasks of another: how long they take, and how many
it needs until it is served."""

import asyncio
import statistics
import tempfile
import time
from collections.abc import Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import msgspec
from msgspec.structs import replace

from gateway.domain.kernel import commands as c
from gateway.domain.kernel.answers import ClaimReply
from gateway.domain.kernel.ids import typeid
from gateway.domain.kernel.policy import Policy
from gateway.domain.tasks.spec import Spec
from gateway.ledger import Ledger, wall_clock
from gateway.store.sqlite.store import open_sqlite
from tests.benchmarks.report import Figure, Section

HERE: Final = ("local", "here")
MOST: Final = 3.0
"""Times its cost beside nobody."""
_SPEC: Final = Spec(
    project="loud",
    repo_url="https://github.com/acme/widgets",
    prompt="x",
    title="x",
    branch_name="b",
    priority=9,
)


@dataclass(frozen=True, kw_only=True)
class Size:
    """The size of the measurement."""

    tasks: int = 20_000
    samples: int = 60


class Measured(msgspec.Struct, frozen=True, kw_only=True):
    """Claims in milliseconds, by what waits beside; and the claims until the quiet was served."""

    quiet: tuple[float, ...]
    urgent: tuple[float, ...]
    blocked: tuple[float, ...]
    scattered: tuple[float, ...]
    until_served: int


async def section(size: Size) -> Section:
    """Four files: nobody waits beside it, one project with urgent tasks, one whose tasks wait for a
    taken concurrency key, and a thousand projects."""
    scattered = [
        replace(_SPEC, project=f"p{number % 1_000}") for number in range(max(size.tasks // 10, 1))
    ]
    quiet, _ = await _claims(size, [])
    urgent, until_served = await _claims(size, [_SPEC] * size.tasks)
    blocked, _ = await _claims(size, [replace(_SPEC, concurrency_key="one")] * size.tasks)
    among_many, _ = await _claims(size, scattered)
    measured = Measured(
        quiet=quiet,
        urgent=urgent,
        blocked=blocked,
        scattered=among_many,
        until_served=until_served,
    )
    alone = _usual(quiet)
    return Section(
        name=f"claims beside {size.tasks:,} waiting tasks of another project",
        note="first quartiles of claims of capacity 1; of a thousand projects, two tasks each wait",
        results=(
            Figure(name="claim, nobody beside it", value=alone, unit="ms"),
            _ratio("urgent tasks", urgent, alone, MOST),
            _ratio("a taken concurrency key", blocked, alone, MOST),
            _ratio("a thousand projects", among_many, alone, 5),
            Figure(name="claims until it is served", value=until_served, unit="", most=2),
        ),
        measured=measured,
    )


def _ratio(beside: str, taken: Sequence[float], alone: float, most: float | None = None) -> Figure:
    value = _usual(taken) / alone
    return Figure(name=f"{beside} : nobody", value=value, unit="×", most=most)


def _usual(taken: Sequence[float]) -> float:
    """The fastest quarter ends here: the others met something else on the machine."""
    return statistics.quantiles(taken, n=4)[0]


async def _claims(size: Size, beside: Sequence[Spec]) -> tuple[tuple[float, ...], int]:
    async with AsyncExitStack() as stack:
        folder = stack.enter_context(tempfile.TemporaryDirectory(prefix="slipgate-bench-"))
        path = Path(folder) / "slipgate.db"
        store = await stack.enter_async_context(open_sqlite(path, new_instance_id=lambda: "i"))
        ledger = await stack.enter_async_context(Ledger(store, Policy(key_id="k1")).running())
        await _create(ledger, beside, first=1)
        await _claim(ledger, 0)  # the key is taken, if there is one
        quiet = replace(_SPEC, project="quiet", priority=0)
        await _create(ledger, [quiet] * size.samples, first=2_000_000)
        taken: list[float] = []
        until_served = 0
        for number in range(1, size.samples + 1):
            began = time.perf_counter()
            projects = await _claim(ledger, number)
            taken.append((time.perf_counter() - began) * 1000)
            if "quiet" in projects and not until_served:
                until_served = number
        return tuple(taken), until_served


async def _create(ledger: Ledger, specs: Sequence[Spec], *, first: int) -> None:
    now = wall_clock()
    for start in range(0, len(specs), 1_000):
        tasks = (
            c.CreateTask(task_id=typeid("task", now, first + start + number), spec=spec)
            for number, spec in enumerate(specs[start : start + 1_000])
        )
        await asyncio.gather(*map(ledger.submit, tasks))


async def _claim(ledger: Ledger, number: int) -> set[str]:
    claim = c.Claim(
        launcher_id=f"l{number}", providers=(HERE,), capacity=1, secret=b"s" * 32, version="1"
    )
    answer = await ledger.submit(claim)
    assert isinstance(answer, ClaimReply)
    return {claimed.task.project for claimed in answer.jobs if claimed.task is not None}
