"""Sandboxes as Jobs: made once, read, watched and removed, whatever answer is lost."""

import asyncio
import json
from pathlib import Path
from typing import Any

import pytest

from gateway.wire.launcher import Created, RescuedPiece, Trying
from launcher.jobs.context import LauncherContext
from launcher.providers.kubernetes.provider import Kubernetes
from launcher.providers.protocol import Key, ProviderError
from tests.daytona.faults import Fault
from tests.kubernetes.cluster import REALM, Cluster
from tests.kubernetes.node import Image
from tests.launcher.agents import ENDS_WITH_7, FINAL_EVENT, program
from tests.launcher.conditions import until
from tests.launcher.gateway_stub import StubGateway
from tests.launcher.jobs import INSTANCE, KEY, LABELS, NAME, a_spec
from tests.launcher.kubernetes.world import HERE, IMAGE, do, is_over, started

SPOOLS = """
import fcntl, json, os, pathlib, signal, sys
state = pathlib.Path(os.environ['SLIPGATE_STATE_DIR'])
word = {'id': 'w1', 'timestamp': 1, 'signature': 'v1,x', 'body': 'AAAA'}
(state / 'draft').write_text(json.dumps(word) + chr(10))
(state / 'draft').rename(state / 'spool.jsonl')
"""
WORD_AND_WAIT = program(SPOOLS + "signal.pause()")
WORD_AND_END = program(SPOOLS + "print('out'); print('of memory', file=sys.stderr); sys.exit(9)")


async def test_a_create_runs_one_confined_pod_and_reports_its_realm(
    cluster: Cluster, gateway: StubGateway, context: LauncherContext
) -> None:
    assert await do(context, "create", env={"A": "1"})
    (job,), (pod,) = cluster.jobs, cluster.pods
    spec, agent = pod["spec"], pod["spec"]["containers"][0]
    assert (job["spec"]["backoffLimit"], job["spec"]["podReplacementPolicy"]) == (0, "Failed")
    assert (spec["restartPolicy"], spec["automountServiceAccountToken"]) == ("Never", False)
    assert (spec["enableServiceLinks"], spec["securityContext"]["runAsNonRoot"]) == (False, True)
    for container in (*spec["initContainers"], *spec["containers"]):
        assert container["securityContext"] == {
            "allowPrivilegeEscalation": False,
            "capabilities": {"drop": ["ALL"]},
        }
        assert {"memory", "ephemeral-storage"} <= container["resources"]["limits"].keys()
    assert [each["mountPath"] for each in agent["volumeMounts"]] == ["/slipgate"]
    assert job["metadata"]["labels"].items() >= LABELS.items()
    trying, created = (r for _, verb, r in gateway.reports if verb in ("trying", "created"))
    assert isinstance(trying, Trying)
    assert (trying.provider, trying.realm, trying.name) == ("kubernetes", REALM, NAME)
    assert isinstance(created, Created)
    assert (created.sandbox.id, created.sandbox.snapshot) == (job["metadata"]["uid"], IMAGE)
    assert gateway.done().process is not None


async def test_variables_reach_the_sandbox_as_they_were_and_stay_nowhere(
    cluster: Cluster, context: LauncherContext
) -> None:
    values = {"PLAIN": "a b=c #d", "EMPTY": "", "PROMPT": "several\nlines\n", "UMLAUT": "ä\u2028ö"}
    assert await do(context, "create", env=values)
    file = cluster.state_directory() / "environment.json"
    assert json.loads(file.read_text()) == values
    assert (file.stat().st_mode & 0o777, file.parent.stat().st_mode & 0o777) == (0o600, 0o700)
    assert "several" not in json.dumps([cluster.jobs, cluster.pods])
    assert cluster.store.all("secrets") == []


@pytest.mark.parametrize(
    "call", ["POST jobs", "POST secrets", "PATCH jobs", "GET jobs", "GET networkpolicies"]
)
@pytest.mark.parametrize("kind", ["lost", "refused"])
async def test_a_lost_answer_leads_to_one_sandbox(
    cluster: Cluster, context: LauncherContext, call: str, kind: Any
) -> None:
    cluster.faults.plan(call, Fault(kind=kind))
    assert await do(context, "create")
    await until(lambda: cluster.node.starts)
    assert (len(cluster.jobs), cluster.node.starts) == (1, [NAME])


async def test_a_taken_name_is_adopted_if_its_labels_are_ours(
    cluster: Cluster, kubernetes: Kubernetes
) -> None:
    first = await kubernetes.create(a_spec())
    assert (await kubernetes.create(a_spec())).id == first.id
    with pytest.raises(ProviderError) as refused:
        await kubernetes.create(a_spec(labels=LABELS | {"slipgate-task": "task_other"}))
    assert (refused.value.code, refused.value.retryable) == ("name_taken", False)
    await until(lambda: cluster.node.starts)
    assert cluster.node.starts == [NAME]


async def test_a_job_that_somebody_suspends_is_not_started_a_second_time(
    cluster: Cluster, kubernetes: Kubernetes
) -> None:
    key = await started(cluster, kubernetes)
    cluster.store.patch("jobs", NAME, {"spec": {"suspend": True}})
    await until(lambda: not cluster.pods)
    assert (await kubernetes.create(a_spec())).state == "stopped"
    found = await kubernetes.find(key)
    assert found
    assert "suspended" in (found.reason or "")
    assert cluster.node.starts == [NAME]


async def test_a_pod_that_is_deleted_is_not_made_again(
    cluster: Cluster, kubernetes: Kubernetes
) -> None:
    key = await started(cluster, kubernetes)
    cluster.store.delete("pods", cluster.pods[0]["metadata"]["name"], {})
    await until(lambda: not cluster.pods)
    found = await kubernetes.find(key)
    assert found
    assert (found.state, (found.reason or "").split(":")[0]) == ("error", "BackoffLimitExceeded")
    assert cluster.node.starts == [NAME]


async def test_the_spool_of_a_running_agent_is_read_and_then_that_of_an_ended_one(
    cluster: Cluster, gateway: StubGateway, context: LauncherContext
) -> None:
    cluster.node.images[IMAGE] = Image(entrypoint=WORD_AND_WAIT)
    assert await do(context, "create")
    await until((cluster.state_directory() / "spool.jsonl").exists)
    assert await do(context, "inspect", sandbox=HERE)
    done = gateway.done()
    assert done.process
    assert (done.process.state, [each.id for each in done.spool]) == ("running", ["w1"])
    size = (cluster.state_directory() / "spool.jsonl").stat().st_size
    assert done.spool_offset == size
    assert await do(context, "destroy", spool_offset=size)
    sandbox = gateway.done().sandbox
    assert sandbox
    assert sandbox.state == "destroyed"
    assert (cluster.jobs, cluster.pods) == ([], [])


async def test_an_ended_agent_is_reported_with_spool_exit_code_and_last_lines(
    cluster: Cluster, gateway: StubGateway, context: LauncherContext
) -> None:
    cluster.node.images[IMAGE] = Image(entrypoint=WORD_AND_END)
    assert await do(context, "create")
    await until(lambda: is_over(cluster))
    assert await do(context, "inspect", sandbox=HERE)
    done = gateway.done()
    assert done.process
    assert (done.process.state, done.process.exit_code) == ("exited", 9)
    assert [each.id for each in done.spool] == ["w1"]
    assert "out\nof memory" in (done.diagnosis or "").replace("of memory\nout", "out\nof memory")


async def test_the_last_word_of_a_stopped_agent_is_reported_before_its_removal(
    cluster: Cluster, gateway: StubGateway, context: LauncherContext
) -> None:
    cluster.node.images[IMAGE] = Image(entrypoint=FINAL_EVENT)
    assert await do(context, "create")
    await until((cluster.state_directory().parents[1] / "ready").exists)
    assert await do(context, "destroy", sandbox=HERE)
    assert [each.id for each in gateway.done().spool] == ["last"]
    assert len(cluster.pods) == 1
    offset = gateway.done().spool_offset or 0
    assert await do(context, "destroy", lease=2, sandbox=HERE, spool_offset=offset)
    assert cluster.jobs == []


async def test_a_spool_of_many_windows_comes_out_in_whole_lines(
    cluster: Cluster, kubernetes: Kubernetes
) -> None:
    cluster.node.images[IMAGE] = Image(entrypoint=ENDS_WITH_7)
    await started(cluster, kubernetes)
    await until(lambda: is_over(cluster))
    line = {"timestamp": 1, "signature": "v1,x", "body": "eHh4" * 100_000}
    lines = [json.dumps({"id": f"w{n}", **line}) + "\n" for n in range(4)]
    state = cluster.state_directory()
    (state / "spool.jsonl").write_text("".join((*lines, "y" * 2_500_000, "\n", lines[0])))
    (state / "spool.acknowledged").write_text(str(len(lines[0])))
    offset, names, more = 0, [], True
    while more:
        piece = await kubernetes.read_spool(KEY, offset)
        names += [each.id for each in piece.lines]
        offset, more = piece.offset, piece.has_more
    assert names == ["w1", "w2", "w3", "w0"]
    (state / "spool.acknowledged").write_text("99999999")
    assert (await kubernetes.read_spool(KEY, 88_888_888)).lines[0].id == "w0"


async def test_a_spool_that_is_no_file_is_none_and_one_that_breaks_off_is_read_again(
    cluster: Cluster, kubernetes: Kubernetes
) -> None:
    await started(cluster, kubernetes)
    spool = cluster.state_directory() / "spool.jsonl"
    spool.symlink_to("/etc/passwd")
    piece = await kubernetes.read_spool(KEY, 0)
    assert (piece.lines, piece.offset, piece.skipped) == ((), 0, 0)
    spool.unlink()
    spool.write_text("x" * 100_000 + "\n")
    cluster.faults.plan("EXEC", Fault(kind="refused"))
    with pytest.raises(ProviderError, match="broke off") as failed:
        await kubernetes.read_spool(KEY, 0)
    assert failed.value.retryable
    assert (await kubernetes.read_spool(KEY, 0)).skipped == 1


RESCUES = program("""
import sys
if '--rescue' in sys.argv:
    print('{"offset":0,"chunk":"+a","size":2,"partial":true,"baseSha":"' + 'a' * 40 + '"}')
""")


async def test_what_an_ended_agent_left_is_saved_before_its_pod_goes(
    cluster: Cluster, gateway: StubGateway, context: LauncherContext, tmp_path: Path
) -> None:
    (tmp_path / "app").mkdir()
    (tmp_path / "app" / "agent-runner.py").write_text(RESCUES[-1])
    cluster.node.images[IMAGE] = Image(entrypoint=ENDS_WITH_7, app=tmp_path / "app")
    assert await do(context, "create")
    await until(lambda: is_over(cluster))
    assert await do(context, "destroy", rescue=True, sandbox=HERE)
    (piece,) = (report for _, verb, report in gateway.reports if verb == "patch")
    assert isinstance(piece, RescuedPiece)
    assert (piece.chunk, piece.size, piece.partial) == ("+a", 2, True)
    assert cluster.pods == []


async def test_a_list_is_begun_anew_once_its_place_has_expired(
    cluster: Cluster, kubernetes: Kubernetes
) -> None:
    cluster.page_size = 2
    for number in range(5):
        await kubernetes.create(a_spec(name=f"s-{number}"))
    await kubernetes.create(a_spec(name="foreign", labels=LABELS | {"slipgate-instance": "i_2"}))
    expired = Fault(kind="status", status=410, message="The provided continue parameter is too old")
    cluster.faults.plan("GET jobs", None, expired)
    found = await kubernetes.list_sandboxes(INSTANCE)
    assert {each.key.name for each in found} == {f"s-{number}" for number in range(5)}
    assert await kubernetes.list_sandboxes("inst_3") == []


async def test_ended_agents_are_seen_by_a_watch_that_survives_a_forgotten_version(
    cluster: Cluster, kubernetes: Kubernetes
) -> None:
    await started(cluster, kubernetes, name="runs")
    assert await kubernetes.ended() == frozenset()
    cluster.node.images[IMAGE] = Image(entrypoint=ENDS_WITH_7)
    await kubernetes.create(a_spec(name="ends"))
    ends = Key(instance=INSTANCE, name="ends")
    await _until_ended(kubernetes, {ends})
    before = cluster.faults.calls.count("GET pods")
    cluster.store.compact()
    await kubernetes.create(a_spec(name="later"))
    await _until_ended(kubernetes, {ends, Key(instance=INSTANCE, name="later")})
    assert cluster.faults.calls.count("GET pods") > before + 1
    await kubernetes.remove(ends)
    await _until_ended(kubernetes, {Key(instance=INSTANCE, name="later")})


async def _until_ended(kubernetes: Kubernetes, expected: set[Key]) -> None:
    async with asyncio.timeout(30):
        while await kubernetes.ended() != expected:  # noqa: ASYNC110 - another task's progress
            await asyncio.sleep(0.01)


async def test_what_is_gone_is_gone_however_often_it_is_removed(
    cluster: Cluster, kubernetes: Kubernetes
) -> None:
    made = await kubernetes.create(a_spec())
    for _ in range(2):
        await kubernetes.stop(made.key)
        await kubernetes.remove(made.key)
    assert await kubernetes.find(KEY) is None
    again = await kubernetes.create(a_spec())
    assert await kubernetes.find(made.key) is None
    await kubernetes.remove(made.key)
    assert await kubernetes.find(again.key)
    assert len(cluster.jobs) == 1
