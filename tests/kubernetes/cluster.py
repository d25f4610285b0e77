"""A cluster with one namespace of sandboxes, behind the API that a launcher speaks."""

import asyncio
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path

import msgspec

from gateway.demo.serve import serving
from tests.daytona.faults import Faults
from tests.kubernetes import api
from tests.kubernetes.controllers import Controllers
from tests.kubernetes.node import Node
from tests.kubernetes.store import Object, Store

NAMESPACE = "slipgate-sandboxes"
POLICY = "slipgate-sandboxes"
TOKEN = "token-of-the-launcher"
CLUSTER_UID = "11111111-2222-4333-8444-555555555555"
REALM = f"{CLUSTER_UID}/{NAMESPACE}"


class Cluster:
    """Handles for everything a test may look at or break."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.store = Store()
        self.node = Node(self.store, folder / "pods")
        self.controllers = Controllers(self.store)
        self.faults = Faults()
        self.tokens = {TOKEN}
        self.denied: set[tuple[str, str]] = set()
        """Verbs and resources that the launcher's role has not."""
        self.quota = ""
        """The message about a quota that no Job fits in."""
        self.page_size = 10**6
        self.bookmark_seconds = 0.05
        self.watches = 0
        """Watches that were begun."""
        self.closing = asyncio.Event()
        self.url = ""
        self._is_syncing = False
        for name in ("kube-system", NAMESPACE):
            self.store.create("namespaces", {"metadata": {"name": name}})
        self.store.get("namespaces", "kube-system")["metadata"]["uid"] = CLUSTER_UID
        self.store.create("networkpolicies", {"metadata": {"name": POLICY}, "spec": {}})
        self.store.listeners.append(self._sync_soon)

    def _sync_soon(self) -> None:
        """Controllers and kubelet act after the change, not within it."""
        if not self._is_syncing:
            self._is_syncing = True
            asyncio.get_running_loop().call_soon(self.sync)

    def sync(self) -> None:
        """One turn of all that watch the cluster."""
        self._is_syncing = False
        self.controllers.sync()
        self.node.sync()

    @property
    def jobs(self) -> list[Object]:
        return self.store.all("jobs")

    @property
    def pods(self) -> list[Object]:
        return self.store.all("pods")

    def state_directory(self) -> Path:
        """Of the one sandbox."""
        (pod,) = self.pods
        return self.node.root(pod["metadata"]["uid"]) / "slipgate" / "state"

    def kubeconfig(self) -> str:
        """The path of a file that leads here."""
        path = self.folder / "kubeconfig"
        named: Mapping[str, object] = {
            "apiVersion": "v1",
            "kind": "Config",
            "current-context": "tests",
            "clusters": [{"name": "one", "cluster": {"server": self.url}}],
            "users": [{"name": "launcher", "user": {"token": TOKEN}}],
            "contexts": [{"name": "tests", "context": {"cluster": "one", "user": "launcher"}}],
        }
        path.write_bytes(msgspec.yaml.encode(named))
        return str(path)


@asynccontextmanager
async def opened(folder: Path) -> AsyncIterator[Cluster]:
    """Serves a cluster on this machine until the block ends."""
    folder.mkdir(parents=True, exist_ok=True)
    cluster = Cluster(folder)
    async with serving(api.application(cluster), has_websockets=True) as cluster.url:
        try:
            yield cluster
        finally:
            cluster.closing.set()
            await cluster.node.close()
