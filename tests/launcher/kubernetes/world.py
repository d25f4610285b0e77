"""The settings of a launcher for the stand-in, and its jobs."""

from pathlib import Path
from typing import Any

import structlog

from gateway.wire.launcher import JobKind, JobSandbox
from launcher.jobs.context import LauncherContext
from launcher.jobs.run import run_job
from launcher.providers.kubernetes.provider import Kubernetes
from launcher.providers.protocol import Key
from tests.kubernetes.cluster import REALM, Cluster
from tests.launcher.conditions import until
from tests.launcher.jobs import NAME, a_job, a_spec

LOG: structlog.typing.FilteringBoundLogger = structlog.wrap_logger(
    structlog.testing.CapturingLogger(), processors=[]
)
IMAGE = "slipgate-agent-1"
HERE = JobSandbox(name=NAME, provider="kubernetes", realm=REALM)


def launcher_environ(cluster: Cluster, folder: Path) -> dict[str, str]:
    return {
        "SLIPGATE_URL": "http://127.0.0.1:9",
        "SLIPGATE_API_KEY": "k",
        "SLIPGATE_PROVIDERS": "kubernetes",
        "SLIPGATE_KUBERNETES_IMAGES": f"other={IMAGE}",
        "SLIPGATE_LAUNCHER_STATE": str(folder / "state"),
        "KUBECONFIG": cluster.kubeconfig(),
    }


async def do(context: LauncherContext, kind: JobKind, **fields: Any) -> bool:
    """A job whose lease needs no renewal."""
    return await run_job(context, a_job(kind, lease_seconds=36_000, **fields), LOG)


async def started(cluster: Cluster, kubernetes: Kubernetes, **fields: Any) -> Key:
    """A sandbox whose agent runs, or has run."""
    found = await kubernetes.create(a_spec(**fields))
    await until(lambda: [each["status"]["phase"] for each in cluster.pods] == ["Running"])
    return found.key


def is_over(cluster: Cluster) -> bool:
    """True once the agent has ended."""
    states = [each["status"].get("containerStatuses", [{}])[0] for each in cluster.pods]
    return any("terminated" in each.get("state", {}) for each in states)
