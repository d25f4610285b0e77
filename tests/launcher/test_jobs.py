"""Jobs from claim to report, over real HTTP and with real processes."""

import asyncio
import json
import os
import signal
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import NoReturn

import pytest

from gateway.wire.launcher import Created, JobKind, JobSandbox, Process, Trying
from launcher.jobs.context import LauncherContext
from launcher.jobs.create import LAUNCH_SECONDS
from launcher.jobs.run import run_job
from launcher.providers.local.processes import members
from launcher.providers.local.provider import LocalProvider
from launcher.providers.protocol import (
    Key,
    ProviderError,
    SandboxSpec,
    SandboxStatus,
    SpoolPiece,
)
from tests.launcher.agents import FINAL_EVENT, WAITS
from tests.launcher.clock import Time
from tests.launcher.conditions import until, with_agent
from tests.launcher.gateway_stub import StubGateway
from tests.launcher.jobs import INSTANCE, KEY, LABELS, NAME, a_job, a_spec
from tests.launcher.lines import LOG, Lines

MakeContext = Callable[..., LauncherContext]


@pytest.fixture
def directory(tmp_path: Path) -> Path:
    return tmp_path / "state" / INSTANCE / NAME


def spool(directory: Path, count: int, size: int = 4) -> int:
    fields = {"timestamp": 1, "signature": "v1,x", "body": "A" * size}
    lines = [json.dumps({"id": f"w{n}", **fields}) + "\n" for n in range(count)]
    (directory / "state" / "spool.jsonl").write_text("".join(lines))
    return sum(map(len, lines))


async def test_create_reports_trying_created_done(
    gateway: StubGateway, make_context: MakeContext
) -> None:
    context = make_context(*WAITS)
    assert await run_job(context, a_job("create"), LOG)
    assert gateway.verbs() == ["trying", "created", "done"]
    trying, created, _ = (report for _, _, report in gateway.reports)
    assert isinstance(trying, Trying)
    assert (trying.provider, trying.realm, trying.name) == (
        "local",
        context.providers[0].realm,
        NAME,
    )
    assert isinstance(created, Created)
    assert created.sandbox.snapshot == "slipgate-agent-1"
    sandbox = gateway.done().sandbox
    assert sandbox
    assert sandbox.state == "started"


async def test_no_create_call_starts_after_its_window(
    gateway: StubGateway, make_context: MakeContext
) -> None:
    gateway.create_seconds = 0
    time = Time()
    context = replace(make_context(*WAITS), clock=time.clock, sleep=time.sleep)
    assert not await run_job(context, a_job("create"), LOG)
    assert {"created", "done"}.isdisjoint(gateway.verbs())
    assert time.now >= LAUNCH_SECONDS
    assert gateway.failed().error.retryable
    assert await context.providers[0].find(KEY) is None


async def test_a_create_that_may_only_adopt_makes_nothing(
    gateway: StubGateway, make_context: MakeContext
) -> None:
    gateway.may_create = False
    context = make_context(*WAITS)
    await run_job(context, a_job("create"), LOG)
    assert gateway.failed().error.code == "sandbox_gone"
    assert await context.providers[0].find(KEY) is None


async def test_a_create_that_may_only_adopt_adopts(
    gateway: StubGateway, make_context: MakeContext
) -> None:
    context = make_context(*WAITS)
    await run_job(context, a_job("create"), LOG)
    gateway.may_create = False
    assert await run_job(context, a_job("create", lease=2), LOG)
    assert gateway.verbs()[-3:] == ["trying", "created", "done"]


async def test_a_create_leaves_the_work_of_an_agent_that_died_meanwhile_to_inspect(
    gateway: StubGateway, make_context: MakeContext, directory: Path
) -> None:
    """Its first launcher died before it had said that the sandbox was there."""
    context = make_context(*WAITS)
    await context.providers[0].create(a_spec())
    spool(directory, 1)
    await _kill_sandbox(directory)
    gateway.may_create = False
    assert await run_job(context, a_job("create"), LOG)
    done = gateway.done()
    assert done.sandbox
    assert done.process
    assert (done.sandbox.state, done.process.state) == ("stopped", "exited")
    await run_job(context, a_job("inspect"), LOG)
    assert [each.id for each in gateway.done().spool] == ["w0"]


async def test_a_sandbox_whose_agent_died_without_a_word_is_made_again(
    gateway: StubGateway, make_context: MakeContext, directory: Path
) -> None:
    context = make_context(*WAITS)
    await context.providers[0].create(a_spec())
    await _kill_sandbox(directory)
    assert await run_job(context, a_job("create"), LOG)
    assert gateway.verbs() == ["trying", "created", "trying", "created", "done"]
    found = await context.providers[0].find(KEY)
    assert found
    assert found.process.state == "running"


async def _kill_sandbox(directory: Path) -> None:
    """Everything in it, the supervisor first, so that nobody writes down how the agent ended."""
    supervisor = await with_agent(directory)
    for pid in (supervisor.pid, *(members(supervisor) - {supervisor.pid})):
        os.kill(pid, signal.SIGKILL)
    await until(lambda: not members(supervisor))


async def test_a_cancelled_create_destroys_what_was_made(
    gateway: StubGateway, make_context: MakeContext
) -> None:
    context = make_context(*WAITS)
    await run_job(context, a_job("create"), LOG)
    gateway.may_create, gateway.cancel = False, True
    await run_job(context, a_job("create", lease=2), LOG)
    assert gateway.failed().error.code == "cancelled"
    assert await context.providers[0].find(KEY) is None


async def test_a_cancelled_create_leaves_its_agents_spool_to_the_destroy_job(
    gateway: StubGateway, make_context: MakeContext, directory: Path
) -> None:
    context = make_context(*WAITS)
    await run_job(context, a_job("create"), LOG)
    spool(directory, 1)
    gateway.may_create, gateway.cancel = False, True
    await run_job(context, a_job("create", lease=2), LOG)
    assert gateway.failed().error.code == "cancelled"
    assert (directory / "state" / "spool.jsonl").exists()
    await run_job(context, a_job("destroy"), LOG)
    assert [each.id for each in gateway.done().spool] == ["w0"]


class Unreadable(LocalProvider):
    """A provider that shows no spool."""

    async def read_spool(self, key: Key, offset: int) -> SpoolPiece:
        raise ProviderError("provider_refused", "no spool here")


async def test_a_create_removes_no_sandbox_whose_spool_it_cannot_read(
    gateway: StubGateway, make_context: MakeContext, directory: Path
) -> None:
    """Its agent may have worked: destroy and inspect jobs find out."""
    context = make_context(*WAITS)
    await context.providers[0].create(a_spec())
    await _kill_sandbox(directory)
    provider = Unreadable(directory.parents[1], environ=os.environ)
    context = replace(context, providers=(provider,))
    gateway.may_create, gateway.cancel = False, True
    await run_job(context, a_job("create"), LOG)
    assert (gateway.failed().error.code, directory.exists()) == ("cancelled", True)
    gateway.cancel = False
    assert await run_job(context, a_job("create", lease=2), LOG)
    done = gateway.done()
    assert done.sandbox
    assert done.process
    assert (done.sandbox.state, done.process.state) == ("stopped", "exited")
    assert directory.exists()


class Broken(Unreadable):
    """A provider whose sandboxes are broken."""

    async def find(self, key: Key) -> SandboxStatus | None:
        found = await super().find(key)
        return found and replace(found, state="error", process=Process(state="unknown"))


async def test_a_broken_sandbox_is_reported_as_such_also_without_its_spool(
    gateway: StubGateway, make_context: MakeContext, directory: Path
) -> None:
    context = make_context(*WAITS)
    await run_job(context, a_job("create"), LOG)
    provider = Broken(directory.parents[1], environ=os.environ)
    assert await run_job(replace(context, providers=(provider,)), a_job("inspect"), LOG)
    done = gateway.done()
    assert done.sandbox
    assert (done.sandbox.state, done.diagnosis) == ("error", "no spool here")


async def test_a_lost_lease_stops_the_work_and_destroys_nothing(
    gateway: StubGateway, make_context: MakeContext
) -> None:
    gateway.lost = {"created"}
    context = make_context(*WAITS)
    assert not await run_job(context, a_job("create"), LOG)
    assert gateway.verbs() == ["trying", "created"]
    found = await context.providers[0].find(KEY)
    assert found
    assert found.process.state == "running"


async def test_a_lease_lost_at_a_renewal_stops_the_work(
    gateway: StubGateway, make_context: MakeContext
) -> None:
    gateway.lost, gateway.mute = {"renew"}, {"created"}
    assert not await run_job(make_context(*WAITS), a_job("create", lease_seconds=1), LOG)
    assert gateway.count("renew") == 1
    assert "done" not in gateway.verbs()


async def test_a_lease_is_renewed_while_a_report_waits(
    gateway: StubGateway, make_context: MakeContext
) -> None:
    gateway.mute = {"done"}
    context = make_context(*WAITS)

    async def sleep(seconds: float) -> None:
        if gateway.count("renew") >= 2:
            gateway.mute = set()

    assert await run_job(replace(context, sleep=sleep), a_job("create"), LOG)
    assert gateway.count("renew") >= 2


async def test_inspect_reports_a_running_agent_and_its_spool(
    gateway: StubGateway, make_context: MakeContext, directory: Path
) -> None:
    context = make_context(*WAITS)
    await run_job(context, a_job("create"), LOG)
    size = spool(directory, 3)
    await run_job(context, a_job("inspect"), LOG)
    done = gateway.done()
    assert done.process
    assert done.process.state == "running"
    assert [each.id for each in done.spool] == ["w0", "w1", "w2"]
    assert done.spool_offset == size


async def test_inspect_reports_the_exit_code_and_the_output_without_variables(
    gateway: StubGateway, make_context: MakeContext
) -> None:
    prints = ("/bin/sh", "-c", "echo for slipgate/abc with hidden-key; exit 7")
    variables = {"MINE": "hidden-key", "BRANCH_NAME": "slipgate/abc"}
    context = replace(make_context(*prints), forwarded_env=variables)
    await run_job(context, a_job("create"), LOG)
    codes: list[int | None] = []
    while not codes or codes[-1] is None:
        await run_job(context, a_job("inspect"), LOG)
        process = gateway.done().process
        assert process
        codes.append(process.exit_code)
        await asyncio.sleep(0.01)
    assert codes[-1] == 7
    note = gateway.done().diagnosis
    assert note == "it printed last: for slipgate/abc with [redacted:attempt_secret]"


async def test_an_end_is_not_reported_before_the_whole_spool(
    gateway: StubGateway, make_context: MakeContext, directory: Path
) -> None:
    context = make_context(*WAITS)
    await run_job(context, a_job("create"), LOG)
    await context.providers[0].stop(KEY)
    spool(directory, 3, size=400_000)
    offset, states = 0, []
    for _ in range(3):
        await run_job(context, a_job("inspect", spool_offset=offset), LOG)
        done = gateway.done()
        assert done.process
        assert done.sandbox
        assert done.spool_offset
        offset = done.spool_offset
        states.append((done.sandbox.state, done.process.state))
    assert states == [("unknown", "unknown"), ("unknown", "unknown"), ("started", "exited")]


async def test_inspect_of_nothing_is_gone(gateway: StubGateway, make_context: MakeContext) -> None:
    await run_job(make_context(*WAITS), a_job("inspect"), LOG)
    sandbox = gateway.done().sandbox
    assert sandbox
    assert sandbox.state == "gone"


async def test_destroy_reports_the_final_spool_and_deletes(
    gateway: StubGateway, make_context: MakeContext, directory: Path
) -> None:
    context = make_context(*FINAL_EVENT)
    await run_job(context, a_job("create"), LOG)
    await until((directory / "home" / "ready").exists)
    assert await run_job(context, a_job("destroy"), LOG)
    first = gateway.done()
    assert [each.id for each in first.spool] == ["last"]
    assert directory.exists()
    assert await run_job(context, a_job("destroy", spool_offset=first.spool_offset or 0), LOG)
    done = gateway.done()
    assert done.sandbox
    assert done.sandbox.state == "destroyed"
    assert not directory.exists()


async def test_destroyed_is_reported_after_the_removal_of_the_files(
    gateway: StubGateway, make_context: MakeContext, directory: Path
) -> None:
    context = make_context(*WAITS)
    await run_job(context, a_job("create"), LOG)
    gateway.lost = {"done"}
    assert not await run_job(context, a_job("destroy"), LOG)
    assert gateway.verbs()[-2:] == ["created", "done"], "nobody had reported its id"
    assert not directory.exists()


async def test_destroy_drains_a_long_spool_in_pieces_before_it_deletes(
    gateway: StubGateway, make_context: MakeContext, directory: Path
) -> None:
    context = make_context(*WAITS)
    await run_job(context, a_job("create"), LOG)
    size = spool(directory, 3, size=400_000)
    offset, names, states = 0, [], []
    for _ in range(4):
        assert directory.exists()
        await run_job(context, a_job("destroy", spool_offset=offset), LOG)
        done = gateway.done()
        assert done.sandbox
        offset = done.spool_offset or offset
        names += [each.id for each in done.spool]
        states.append(done.sandbox.state)
    assert (names, offset) == (["w0", "w1", "w2"], size)
    assert states == ["started", "started", "started", "destroyed"]
    assert not directory.exists()


async def test_a_spool_the_gateway_did_not_take_is_not_deleted(
    gateway: StubGateway, make_context: MakeContext, directory: Path
) -> None:
    context = make_context(*WAITS)
    await run_job(context, a_job("create"), LOG)
    spool(directory, 1)
    gateway.lost = {"done"}
    assert not await run_job(context, a_job("destroy"), LOG)
    assert (directory / "state" / "spool.jsonl").exists()


async def test_destroy_of_nothing_finds_it_gone(
    gateway: StubGateway, make_context: MakeContext
) -> None:
    assert await run_job(make_context(*WAITS), a_job("destroy"), LOG)
    sandbox = gateway.done().sandbox
    assert sandbox
    assert sandbox.state == "gone"


class Overlooking(LocalProvider):
    """A provider whose list is eventually consistent: it misses sandboxes."""

    async def find(self, key: Key) -> SandboxStatus | None:
        return None


class Unstopping(LocalProvider):
    """A provider that can stop nothing."""

    async def stop(self, key: Key) -> None:
        raise ProviderError("provider_refused", "no stop here", retryable=False)


@pytest.mark.parametrize("kind", [Overlooking, Unstopping])
async def test_destroy_reports_the_spool_of_a_sandbox_that_is_not_found_or_not_stopped(
    gateway: StubGateway, make_context: MakeContext, directory: Path, kind: type[LocalProvider]
) -> None:
    context = make_context(*WAITS)
    await run_job(context, a_job("create"), LOG)
    spool(directory, 1)
    provider = kind(directory.parents[1], environ=os.environ)
    await run_job(replace(context, providers=(provider,)), a_job("destroy"), LOG)
    assert [line.id for line in gateway.done().spool] == ["w0"]
    assert (directory / "state" / "spool.jsonl").exists()


async def test_destroy_clears_what_a_create_that_was_cut_short_left(
    make_context: MakeContext, directory: Path
) -> None:
    (directory / "home").mkdir(parents=True)
    assert await run_job(make_context(*WAITS), a_job("destroy"), LOG)
    assert not directory.exists()


async def test_destroy_leaves_a_sandbox_with_other_labels_alone(
    gateway: StubGateway, make_context: MakeContext
) -> None:
    context = make_context(*WAITS)
    await run_job(context, a_job("create"), LOG)
    other = LABELS | {"slipgate-task": "task_other"}
    assert not await run_job(context, a_job("destroy", labels=other), LOG)
    assert gateway.failed().error.code == "labels_differ"
    assert await context.providers[0].find(KEY)


async def test_a_sandbox_of_another_realm_is_not_called_gone(
    gateway: StubGateway, make_context: MakeContext
) -> None:
    sandbox = JobSandbox(name=NAME, provider="local", realm="elsewhere")
    assert not await run_job(make_context(*WAITS), a_job("inspect", sandbox=sandbox), LOG)
    assert gateway.failed().error.code == "realm_missing"


async def test_a_sweep_lists_and_destroys_nothing(
    gateway: StubGateway, make_context: MakeContext
) -> None:
    context = make_context(*WAITS)
    await run_job(context, a_job("create"), LOG)
    await run_job(context, a_job("sweep"), LOG)
    sandboxes = gateway.done().sandboxes
    assert sandboxes
    assert [(each.name, each.labels, each.state) for each in sandboxes] == [
        (NAME, LABELS, "started")
    ]
    assert await context.providers[0].find(KEY)


async def test_a_job_that_breaks_logs_where(
    gateway: StubGateway, make_context: MakeContext
) -> None:
    def broken(seconds: float) -> NoReturn:
        raise ZeroDivisionError("the fault")

    gateway.mute = {"done"}
    lines = Lines()
    context = replace(make_context(*WAITS), sleep=broken)
    assert not await run_job(context, a_job("create"), lines.log)
    (line,) = lines.of("job")
    assert line["outcome"] == "broken"
    assert "in broken\n" in line["exception"]
    assert "ZeroDivisionError: the fault" in line["exception"]


@pytest.mark.parametrize("kind", ["create", "inspect", "destroy", "sweep"])
async def test_a_providers_error_is_told_without_variables_of_sandboxes(
    gateway: StubGateway, make_context: MakeContext, tmp_path: Path, kind: JobKind
) -> None:
    class Refusing(LocalProvider):
        def _refuse(self) -> NoReturn:
            message = "403 for hidden-key with hidden-variable and ghp_0123456789012345678901"
            raise ProviderError("provider_auth", message, retryable=False)

        async def find(self, key: Key) -> SandboxStatus | None:
            self._refuse()

        async def create(self, order: SandboxSpec) -> SandboxStatus:
            self._refuse()

        async def list_sandboxes(self, instance: str) -> list[SandboxStatus]:
            self._refuse()

    context = make_context(*WAITS)
    refusing = Refusing(tmp_path, environ={}, program=WAITS)
    context = replace(
        context, providers=(refusing,), forwarded_env={"OPENAI_API_KEY": "hidden-key"}
    )
    lines = Lines()
    assert not await run_job(context, a_job(kind, env={"MINE": "hidden-variable"}), lines.log)
    (line,) = lines.of("provider.failed")
    assert (line["log_level"], line["kind"], line["code"]) == ("warning", kind, "provider_auth")
    assert "403 for [redacted:" in line["reason"]
    assert "hidden" not in line["reason"]
    assert "ghp_" not in line["reason"]
    assert gateway.failed().error.message == line["reason"]
    assert lines.of("job")[0]["log_level"] == "warning"
