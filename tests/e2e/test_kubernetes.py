"""Sandboxes as Jobs, in one of them the real entrypoint: from POST to pull request.

The cluster is a stand-in, so this shows that launcher and agent understand each other through the
API: variables, spool, exit, removal, whoever dies meanwhile. It cannot show that an image builds,
that a pod is confined, or that it reaches the network.
"""

import os
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from launcher.providers.local.provider import EXECUTION
from tests.e2e import points
from tests.e2e.installation import Installation, installation
from tests.e2e.settled import settle
from tests.e2e.shared_installation import SHORT
from tests.forks.programs import attempt
from tests.kubernetes.cluster import Cluster, opened
from tests.kubernetes.node import Image

pytestmark = pytest.mark.timeout(600)


@asynccontextmanager
async def _installation(
    folder: Path, program: tuple[str, ...], *, is_public: bool
) -> AsyncIterator[tuple[Installation, Cluster]]:
    """A launcher with kubernetes alone, whose image starts this program."""
    search = f"{Path(sys.executable).parent}:{os.environ['PATH']}"
    async with opened(folder / "cluster") as cluster:
        cluster.node.images["slipgate-agent-1"] = Image(
            entrypoint=program, search=search, app=Path(EXECUTION[-1]).parent
        )
        providers = {"SLIPGATE_PROVIDERS": "kubernetes", "KUBECONFIG": cluster.kubeconfig()}
        async with installation(
            folder, choose=lambda _: SHORT, is_public=is_public, providers=providers
        ) as it:
            yield it, cluster


async def test_a_task_in_a_pod_survives_its_launcher_and_gets_no_second_one(
    tmp_path: Path,
) -> None:
    async with _installation(tmp_path, EXECUTION, is_public=True) as (it, cluster):
        created = points.answered("create.created")
        it.world.at_model.shut()
        it.proxy.hold(created)
        task = await it.frontend.create(**points.QUICK | {"agent": points.BY_MODEL})
        await it.proxy.reached(created)
        await it.kill_launcher()
        it.proxy.release()
        await it.world.at_model.reached()
        await it.kill_launcher()
        it.world.open()
        shown = await task.until_over(seconds=150)
        await settle(it, task)
        (pull,) = it.world.pulls(shown["branchName"])
        assert (shown["status"], shown["prUrl"]) == ("completed", pull.html_url)
        assert (shown["sandbox"]["provider"], shown["flag"]) == ("kubernetes", None)
        assert it.proxy.acknowledged
        assert cluster.node.starts == [shown["sandbox"]["name"]]
        assert (cluster.jobs, cluster.pods, cluster.store.all("secrets")) == ([], [], [])


async def test_a_pod_that_cannot_call_is_read_also_after_the_gateway_was_away(
    tmp_path: Path,
) -> None:
    async with _installation(tmp_path, (attempt(),), is_public=False) as (it, cluster):
        it.world.at_pull_request.shut()
        task = await it.frontend.create(**points.QUICK)
        await it.world.at_pull_request.reached()
        await it.kill_gateway()
        it.world.open()
        shown = await task.until_over(seconds=150)
        await settle(it, task)
        (pull,) = it.world.pulls(shown["branchName"])
        assert (shown["status"], shown["prUrl"]) == ("completed", pull.html_url)
        assert not it.proxy.acknowledged
        assert len(cluster.node.starts) == 1
        assert (cluster.jobs, cluster.pods) == ([], [])
