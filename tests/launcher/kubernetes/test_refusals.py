"""States of pods and refusals of a cluster: each is told with its code and advice."""

from collections.abc import Awaitable, Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from launcher.client import Client
from launcher.jobs.context import LauncherContext
from launcher.providers.factory import open_providers
from launcher.providers.kubernetes.provider import Kubernetes
from launcher.providers.protocol import Key, ProviderError
from launcher.settings import read_settings
from tests.daytona.faults import Fault
from tests.kubernetes.cluster import Cluster
from tests.launcher.clock import Time
from tests.launcher.conditions import until
from tests.launcher.gateway_stub import StubGateway
from tests.launcher.jobs import KEY, NAME, a_spec
from tests.launcher.kubernetes.world import do, launcher_environ, started


async def test_a_pod_on_a_lost_node_is_not_called_gone(
    cluster: Cluster, kubernetes: Kubernetes
) -> None:
    key = await started(cluster, kubernetes)
    clock = Time()
    kubernetes.clock, kubernetes.sleep = clock.clock, lambda seconds: clock.sleep(seconds * 40)
    cluster.node.is_lost = True
    with pytest.raises(ProviderError, match="still there") as failed:
        await kubernetes.remove(key)
    assert failed.value.retryable
    cluster.store.drop("jobs", NAME)
    found = await kubernetes.find(key)
    assert found
    assert (found.state, found.id) == ("unknown", key.id)
    cluster.node.is_lost = False
    cluster.sync()
    await kubernetes.remove(key)
    assert await kubernetes.find(key) is None


STATES: dict[str, tuple[dict[str, Any], tuple[str, str, bool | None]]] = {
    "evicted": (
        {
            "phase": "Failed",
            "reason": "Evicted",
            "message": "The node was low on resource: ephemeral-storage.",
            "conditions": [{"type": "DisruptionTarget", "status": "True"}],
        },
        ("error", "Evicted: The node was low on resource", None),
    ),
    "preempted": (
        {
            "phase": "Failed",
            "conditions": [
                {
                    "type": "DisruptionTarget",
                    "status": "True",
                    "reason": "PreemptionByScheduler",
                    "message": "default-scheduler: preempting",
                }
            ],
        },
        ("error", "PreemptionByScheduler: default", None),
    ),
    "out of memory": (
        {
            "containerStatuses": [
                {"name": "agent", "state": {"terminated": {"exitCode": 137, "reason": "OOMKilled"}}}
            ]
        },
        ("started", "OOMKilled: out of memory, its limit is 4Gi", None),
    ),
    "runs as root": (
        {
            "phase": "Pending",
            "containerStatuses": [
                {
                    "name": "agent",
                    "state": {
                        "waiting": {
                            "reason": "CreateContainerConfigError",
                            "message": "container has runAsNonRoot and image will run as root",
                        }
                    },
                }
            ],
        },
        ("error", "CreateContainerConfigError: container has runAsNonRoot", False),
    ),
    "no image": (
        {
            "phase": "Pending",
            "containerStatuses": [
                {
                    "name": "agent",
                    "state": {
                        "waiting": {
                            "reason": "ImagePullBackOff",
                            "message": 'Back-off pulling image "x": not found',
                        }
                    },
                }
            ],
        },
        ("error", "ImagePullBackOff: Back-off", False),
    ),
    "no registry": (
        {
            "phase": "Pending",
            "containerStatuses": [
                {
                    "name": "agent",
                    "state": {
                        "waiting": {"reason": "ErrImagePull", "message": "dial tcp: i/o timeout"}
                    },
                }
            ],
        },
        ("creating", "ErrImagePull: dial tcp", True),
    ),
}


@pytest.mark.parametrize("case", STATES)
async def test_a_pods_state_is_told_in_kubernetes_own_words(
    cluster: Cluster, kubernetes: Kubernetes, case: str
) -> None:
    status, (state, reason, retryable) = STATES[case]
    key = await started(cluster, kubernetes)
    if status.get("phase") == "Pending":
        cluster.pods[0]["status"].pop("containerStatuses")
    cluster.store.set_status("pods", cluster.pods[0]["metadata"]["name"], **status)
    found = await kubernetes.find(key)
    assert found
    assert (found.state, (found.reason or "")[: len(reason)]) == (state, reason)
    assert (found.failure and found.failure.retryable) == retryable


async def test_a_deadline_of_the_cluster_is_told(cluster: Cluster, kubernetes: Kubernetes) -> None:
    key = await started(cluster, kubernetes)
    cluster.controllers.expire(NAME)
    await until(lambda: not cluster.pods)
    found = await kubernetes.find(key)
    assert found
    assert (found.state, (found.reason or "").split(":")[0]) == ("error", "DeadlineExceeded")
    assert (await kubernetes.read_spool(key, 5)).offset == 5


@pytest.mark.parametrize(
    ("message", "state", "code"),
    [
        ("exceeded quota: sandboxes, used: pods=9", "creating", "provider_quota"),
        ('violates PodSecurity "restricted": runAsNonRoot', "error", "provider_refused"),
        ('admission webhook "v.kyverno" denied the request', "error", "provider_refused"),
    ],
)
async def test_a_pod_that_the_cluster_refuses_is_told_with_advice(
    cluster: Cluster, kubernetes: Kubernetes, message: str, state: str, code: str
) -> None:
    cluster.controllers.refuses_pods = message
    made = await kubernetes.create(a_spec())
    await until(lambda: cluster.store.all("events"))
    found = await kubernetes.find(made.key)
    assert found
    assert found.failure
    assert (found.state, found.failure.code) == (state, code)
    assert message in found.failure.message


@pytest.mark.parametrize("message", ["exceeded quota: q", "violates PodSecurity"])
async def test_a_launch_ends_with_the_reason_for_which_no_pod_came(
    cluster: Cluster,
    gateway: StubGateway,
    kubernetes: Kubernetes,
    client: Client,
    message: str,
) -> None:
    clock = Time()
    context = LauncherContext(
        client=client,
        providers=(kubernetes,),
        forwarded_env={},
        clock=clock.clock,
        sleep=lambda seconds: clock.sleep(seconds * 60),
    )
    cluster.controllers.refuses_pods = message
    assert not await do(context, "create")
    error = gateway.failed().error
    assert message in error.message
    assert error.retryable is (error.code == "provider_quota")
    assert cluster.pods == []


@pytest.mark.parametrize(
    ("fault", "code", "retryable"),
    [
        (
            Fault(kind="status", status=403, message="jobs.batch is forbidden"),
            "provider_auth",
            False,
        ),
        (
            Fault(kind="status", status=403, message='"x" is forbidden: exceeded quota: q'),
            "provider_quota",
            True,
        ),
        (Fault(kind="status", status=422, message="Job is invalid"), "provider_refused", False),
        (Fault(kind="status", status=500, message="etcd"), "provider_unavailable", True),
        (Fault(kind="html", status=404), "provider_unavailable", True),
        (Fault(kind="garbage"), None, None),
    ],
)
async def test_a_refused_create_has_a_code(
    cluster: Cluster, kubernetes: Kubernetes, fault: Fault, code: str | None, retryable: bool | None
) -> None:
    cluster.faults.plan("POST jobs", fault)
    if code is None:
        assert (await kubernetes.create(a_spec())).state in ("creating", "started")
        return
    with pytest.raises(ProviderError) as failed:
        await kubernetes.create(a_spec())
    assert (failed.value.code, failed.value.retryable) == (code, retryable)


async def test_a_throttled_call_waits_as_long_as_it_is_told(
    cluster: Cluster, kubernetes: Kubernetes
) -> None:
    limited = Fault(kind="status", status=429, message="slow", headers=(("retry-after", "1"),))
    clock = Time()
    kubernetes.api = replace(kubernetes.api, sleep=clock.sleep)
    cluster.faults.plan("GET jobs", limited)
    assert await kubernetes.find(KEY) is None
    assert clock.now == 1.0
    cluster.faults.plan("POST jobs", limited)
    with pytest.raises(ProviderError) as failed:
        await kubernetes.create(a_spec())
    assert (failed.value.retryable, failed.value.retry_after) == (True, 1.0)


ASKED: dict[str, Callable[[Kubernetes, Key], Awaitable[object]]] = {
    "GET jobs": lambda kubernetes, key: kubernetes.find(key),
    "GET pods": lambda kubernetes, key: kubernetes.list_sandboxes(key.instance),
    "DELETE jobs": lambda kubernetes, key: kubernetes.remove(key),
}


@pytest.mark.parametrize("call", ASKED)
async def test_no_answer_and_a_proxys_page_are_transient_and_prove_nothing(
    cluster: Cluster, kubernetes: Kubernetes, call: str
) -> None:
    made = await kubernetes.create(a_spec())
    for fault in (Fault(kind="refused"), Fault(kind="html", status=404), Fault(kind="garbage")):
        cluster.faults.plan(call, fault)
        if call == "DELETE jobs" and fault.kind == "garbage":
            continue
        with pytest.raises(ProviderError) as failed:
            await ASKED[call](kubernetes, made.key)
        assert failed.value.retryable


async def test_no_sandbox_starts_without_its_network_policy(
    cluster: Cluster, kubernetes: Kubernetes
) -> None:
    cluster.store.drop("networkpolicies", "slipgate-sandboxes")
    with pytest.raises(ProviderError, match=r"kubectl apply -f .*sandboxes.yaml") as refused:
        await kubernetes.create(a_spec())
    assert not refused.value.retryable
    assert cluster.jobs == []


async def test_a_refused_token_is_told(cluster: Cluster, kubernetes: Kubernetes) -> None:
    cluster.tokens.clear()
    with pytest.raises(ProviderError, match="credentials") as refused:
        await kubernetes.find(KEY)
    assert (refused.value.code, refused.value.retryable) == ("provider_auth", False)


async def test_a_cluster_whose_uid_is_not_shown_is_named_by_the_realm(
    cluster: Cluster, tmp_path: Path
) -> None:
    cluster.denied = {("get", "namespaces")}
    environ = launcher_environ(cluster, tmp_path)
    with pytest.raises(ProviderError, match="SLIPGATE_REALM"):
        async with open_providers(read_settings(environ), environ):
            pass
    environ |= {"SLIPGATE_REALM": "ours"}
    async with open_providers(read_settings(environ), environ) as (provider,):
        assert provider.realm == "ours/slipgate-sandboxes"
