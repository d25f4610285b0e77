"""An installation with 200 tasks that fail in twelve ways, and some that do not.

`python -m tests.incident FOLDER` writes it into `FOLDER/slipgate.db`, for a gateway of its own.
"""

import asyncio
import sqlite3
import sys
from collections.abc import Awaitable, Callable, Mapping
from contextlib import closing
from pathlib import Path
from typing import Final

from gateway.domain.kernel import commands as c
from gateway.domain.kernel.ids import typeid
from gateway.domain.kernel.keyring import Keyring
from gateway.domain.kernel.policy import Policy
from gateway.domain.tasks.spec import TimeoutSpec
from gateway.ledger import Ledger, wall_clock
from gateway.store.protocol import Reads
from gateway.store.records import DeliveryFilter
from gateway.store.sql.admin.master_keys import REMEMBER
from gateway.store.sqlite.store import open_sqlite
from tests.benchmarks.lives import ENDPOINT, Clock, Life

MASTER: Final = b"m" * 32
SINCE: Final = 3_540_000
"""So long ago the first task was created (milliseconds)."""
GITHUB: Final = "https://github.com/acme"

Story = Callable[[Life, int], Awaitable[object]]


async def _refused_by_the_provider(life: Life, _: int) -> None:
    await life.create(title="Upgrade the linter", repo_url=f"{GITHUB}/web")
    await life.fail_to_launch()


async def _behind_the_refused(life: Life, _: int) -> None:
    await life.create(title="Upgrade the formatter", repo_url=f"{GITHUB}/web")


def _failing(stage: str, code: str, message: str, title: str) -> Story:
    async def story(life: Life, _: int) -> None:
        await life.create(title=title, repo_url=f"{GITHUB}/api")
        await life.start()
        error = {"stage": stage, "code": code, "message": message, "retryable": False}
        await life.emit("task.failed", error=error)
        await life.destroy()

    return story


async def _never_taken(life: Life, _: int) -> None:
    await life.create(title="Translate the mails", timeouts=TimeoutSpec(queue_seconds=1))
    await life.wait(2)


async def _out_of_time(life: Life, _: int) -> None:
    await life.create(title="Rewrite the parser", timeouts=TimeoutSpec(run_seconds=5))
    await life.start()
    await life.wait(6)
    await life.wait(61)  # the spool of its sandbox was read


async def _to_review(life: Life, _: int) -> None:
    await life.create(title="Remove the old login", repo_url=f"{GITHUB}/web")
    await life.start()
    await life.emit("task.needs_review", branchName="slipgate/health", summary="Tests fail")
    await life.destroy()


async def _silent(life: Life, _: int) -> None:
    await life.create(title="Migrate to the new SDK", timeouts=TimeoutSpec(heartbeat_seconds=5))
    await life.start()
    await life.wait(6)


async def _slow_to_launch(life: Life, _: int) -> None:
    await life.create(title="Fix the flaky test")
    await life.attempt_to_create(await life.claim())
    await life.wait(300)


async def _behind_a_key(life: Life, number: int) -> None:
    await life.create(title=f"Release notes {number}", concurrency_key="release")


async def _without_a_provider(life: Life, _: int) -> None:
    await life.create(title="Render the manual", provider="docker", repo_url=f"{GITHUB}/docs")


async def _cancelled(life: Life, _: int) -> None:
    await life.create(title="Not any more")
    await life.cancel()


async def _well(life: Life, number: int, *, callback: bool = False) -> None:
    await life.create(title=f"Add endpoint {number}", repo_url=f"{GITHUB}/api", callback=callback)
    await life.start()
    await life.emit("task.progress", stage="agent", message="turn 7 of 60")
    await life.emit("task.log", chunk="$ make test\n42 passed\n", offset=0)
    await life.emit("task.usage", inputTokens=9_000, outputTokens=700, costUsd=0.04, turns=7)
    done = {"branchName": "slipgate/health", "commitSha": "5ca1ab1e", "validation": []}
    pull_request = f"{GITHUB}/api/pull/{number}"
    await life.emit("task.completed", prUrl=pull_request, summary="Added it", **done)
    await life.destroy()


async def _undelivered(life: Life, number: int) -> None:
    await _well(life, number, callback=True)


STORIES: Final[Mapping[Story, int]] = {
    _well: 30,
    _failing("agent", "model_auth", "401 from the model's provider", "Add dark mode"): 25,
    _failing("push", "branch_moved", "somebody else has pushed", "Bump the minor"): 10,
    _failing("clone", "clone_failed", "repository not found", "Port the importer"): 10,
    _never_taken: 15,
    _to_review: 15,
    _silent: 20,
    _slow_to_launch: 5,
    _cancelled: 5,
    _undelivered: 5,
    # From here on nobody claims what is left to do.
    _out_of_time: 10,
    _refused_by_the_provider: 5,
    _behind_the_refused: 25,
    _behind_a_key: 10,
    _without_a_provider: 10,
}


async def make_incident(path: Path) -> None:
    """Lives all of it through a ledger; nothing else may have the file open."""
    clock = Clock(wall_clock() - SINCE)
    async with (
        open_sqlite(path, new_instance_id=lambda: "ins_incident") as store,
        Ledger(store, Policy(key_id="k1"), clock=clock).running() as ledger,
    ):
        number = 0
        for story, count in STORIES.items():
            for _ in range(count):
                number += 1
                await story(Life(ledger, clock, typeid("task", clock.now, number)), number)
        await _give_up_deliveries(store.reads, ledger, clock)
    # What is sealed in here is of no key; that is known as ours, all the same.
    with closing(sqlite3.connect(path, isolation_level=None)) as database:
        fingerprint = Keyring({"k1": MASTER}).fingerprint("k1")
        database.execute(REMEMBER, {"id": "k1", "fingerprint": fingerprint})


async def _give_up_deliveries(reads: Reads, ledger: Ledger, clock: Clock) -> None:
    """The receiver of callbacks has answered 500 until each of its deliveries was dead."""
    wanted = DeliveryFilter(endpoint_id=ENDPOINT, task_id=None, status="pending")
    for delivery in await reads.deliveries_before(wanted, (2**62, ""), 1_000):
        clock.now += 100
        await ledger.submit(
            c.SettleDelivery(
                endpoint_id=ENDPOINT,
                seq=delivery.seq,
                status="dead",
                attempts=8,
                failures=8,
                next_attempt_at=None,
                body="{}",
                at=clock.now,
                http_status=500,
                reason="status",
                duration_ms=31,
                key_id=None,
                answer="Internal Server Error",
            )
        )


if __name__ == "__main__":
    asyncio.run(make_incident(Path(sys.argv[1]) / "slipgate.db"))
