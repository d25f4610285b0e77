"""A cluster that is a stand-in, and the provider for it."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from launcher.client import Client
from launcher.jobs.context import LauncherContext
from launcher.providers.factory import open_providers
from launcher.providers.kubernetes.provider import Kubernetes
from launcher.settings import read_settings
from tests.kubernetes.cluster import Cluster, opened
from tests.kubernetes.node import Image
from tests.launcher.agents import WAITS
from tests.launcher.kubernetes.world import IMAGE, launcher_environ


@pytest.fixture
async def cluster(tmp_path: Path) -> AsyncIterator[Cluster]:
    async with opened(tmp_path / "cluster") as cluster:
        cluster.node.images[IMAGE] = Image(entrypoint=WAITS)
        yield cluster


@pytest.fixture
async def kubernetes(cluster: Cluster, tmp_path: Path) -> AsyncIterator[Kubernetes]:
    environ = launcher_environ(cluster, tmp_path)
    async with open_providers(read_settings(environ), environ) as (provider,):
        assert isinstance(provider, Kubernetes)
        yield provider


@pytest.fixture
def context(client: Client, kubernetes: Kubernetes) -> LauncherContext:
    return LauncherContext(client=client, providers=(kubernetes,), forwarded_env={})
