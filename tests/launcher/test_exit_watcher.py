"""The exit watcher: reports each ended process at once, and once."""

import asyncio
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import structlog

from gateway.wire.launcher import EndedSandbox
from launcher.exit_watcher import ExitWatcher
from launcher.jobs.context import LauncherContext
from launcher.loop import Launcher
from launcher.providers.local.provider import LocalProvider
from launcher.providers.protocol import Key
from tests.launcher.agents import ENDS_WITH_7, WAITS
from tests.launcher.conditions import until
from tests.launcher.conftest import MakeLocal
from tests.launcher.gateway_stub import StubGateway
from tests.launcher.jobs import INSTANCE, KEY, NAME, a_job, a_spec
from tests.launcher.lines import LOG, Lines

MakeContext = Callable[..., LauncherContext]


def a_watch(
    context: LauncherContext, *, is_being_created: Callable[[str], bool] = lambda _: False
) -> ExitWatcher:
    return ExitWatcher(context, launcher_id="l1", log=LOG, is_being_created=is_being_created)


async def ended(local: LocalProvider) -> None:
    """Waits until the one sandbox has ended."""
    while await local.ended() != {KEY}:  # noqa: ASYNC110 - another process ends
        await asyncio.sleep(0.01)


async def test_an_exit_is_reported_once_and_by_a_later_launcher_again(
    make_context: MakeContext, make_local: MakeLocal, gateway: StubGateway
) -> None:
    local = make_local(ENDS_WITH_7)
    await local.create(a_spec())
    await ended(local)
    watch = a_watch(make_context(*ENDS_WITH_7))
    for _ in range(3):
        await watch.step()
    there = EndedSandbox(instance_id=INSTANCE, provider="local", realm=local.realm, name=NAME)
    assert [(each.launcher_id, each.sandboxes) for each in gateway.ended] == [("l1", (there,))]
    await a_watch(make_context(*ENDS_WITH_7)).step()
    assert len(gateway.ended) == 2


async def test_a_running_agent_is_not_reported(
    make_context: MakeContext, make_local: MakeLocal, gateway: StubGateway
) -> None:
    await make_local(WAITS).create(a_spec())
    await a_watch(make_context(*WAITS)).step()
    assert gateway.ended == []


async def test_an_exit_during_a_create_is_reported_after_the_create(
    make_context: MakeContext, make_local: MakeLocal, gateway: StubGateway
) -> None:
    local = make_local(ENDS_WITH_7)
    await local.create(a_spec())
    await ended(local)
    in_work = {NAME}
    watch = a_watch(make_context(*ENDS_WITH_7), is_being_created=lambda name: name in in_work)
    await watch.step()
    assert gateway.ended == []
    in_work.clear()
    await watch.step()
    assert len(gateway.ended) == 1


async def test_a_watch_that_breaks_says_so_once_and_ends_no_job(
    make_context: MakeContext, gateway: StubGateway, tmp_path: Path
) -> None:
    class Broken(LocalProvider):
        async def ended(self) -> frozenset[Key]:
            raise OSError("no more descriptors")

    lines = Lines()
    broken = Broken(tmp_path, environ={})
    watch = replace(a_watch(replace(make_context(*WAITS), providers=(broken,))), log=lines.log)
    for _ in range(3):
        await watch.step()
    (line,) = lines.of("watch")
    assert line["reason"] == "no more descriptors"
    assert "in ended\n" in line["exception"]


async def test_a_launcher_watches_while_it_claims(
    make_context: MakeContext, gateway: StubGateway
) -> None:
    launcher = Launcher(
        make_context(*ENDS_WITH_7),
        launcher_id="l1",
        version="1",
        capacity=4,
        log=structlog.wrap_logger(structlog.testing.CapturingLogger(), processors=[]),
        wait_seconds=0.1,
        drain_seconds=0.1,
    )
    stopping = asyncio.Event()
    running = asyncio.create_task(launcher.run(stopping))
    gateway.offers.append(a_job("create"))
    await until(lambda: bool(gateway.ended))
    stopping.set()
    await running
    assert gateway.verbs("job_create") == ["trying", "created", "done"]
