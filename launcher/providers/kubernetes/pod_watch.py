"""Pods of slipgate as a watch tells of them: a list, then every change since its version."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import aclosing, asynccontextmanager, suppress
from dataclasses import KW_ONLY, dataclass, field
from typing import Final

import msgspec

from launcher.client import Sleep
from launcher.providers.kubernetes.api_client import KubernetesApi
from launcher.providers.kubernetes.errors import Expired, unavailable
from launcher.providers.kubernetes.schema import AGENT, NAME_LABEL, Pod, WatchEvent
from launcher.providers.protocol import INSTANCE_LABEL, Key, ProviderError

PAUSES_SECONDS: Final = (1.0, 5.0, 15.0)
"""After a watch that failed; the last one repeats."""


@dataclass(slots=True)
class PodWatch:
    """The pods of every instance and launcher, by uid, as far as their agents have ended."""

    api: KubernetesApi
    _: KW_ONLY
    sleep: Sleep = asyncio.sleep
    _ended: dict[str, Key] = field(default_factory=dict, init=False)
    _version: str | None = field(default=None, init=False)
    _error: ProviderError | None = field(default=None, init=False)
    _task: asyncio.Task[None] | None = field(default=None, init=False)
    _is_listed: asyncio.Event = field(default_factory=asyncio.Event, init=False)

    async def ended(self) -> frozenset[Key]:
        """Raises `ProviderError` while the cluster cannot be watched. The first call begins it."""
        if self._task is None:
            self._task = asyncio.create_task(self.run())
            self._task.add_done_callback(lambda _: self._is_listed.set())
        await self._is_listed.wait()
        if self._task.done():
            self._task.result()
        if self._error is not None:
            raise self._error
        return frozenset(self._ended.values())

    async def run(self) -> None:
        """Watches until it is cancelled."""
        failures = 0
        while True:
            try:
                await self.step()
                failures = 0
                await self.sleep(PAUSES_SECONDS[0])
            except Expired:
                self._version = None
                await self.sleep(PAUSES_SECONDS[0])
            except ProviderError as error:
                self._error = error
                self._is_listed.set()
                await self.sleep(PAUSES_SECONDS[min(failures, len(PAUSES_SECONDS) - 1)])
                failures += 1

    async def step(self) -> None:
        """One watch to its end, after a list if there is no version to go on from."""
        path = self.api.path("pods")
        if self._version is None:
            pods, self._version = await self.api.list_all(path, Pod, INSTANCE_LABEL)
            self._ended = {}
            for pod in pods:
                self._see(pod)
        self._error = None
        self._is_listed.set()
        async with aclosing(self.api.watch(path, INSTANCE_LABEL, self._version)) as events:
            async for event in events:
                self._apply(event)

    async def close(self) -> None:
        if self._task is not None:
            self._task.cancel()
            with suppress(asyncio.CancelledError):
                await self._task

    def _apply(self, event: WatchEvent) -> None:
        try:
            pod = msgspec.json.decode(event.object, type=Pod)
        except msgspec.MsgspecError as error:
            raise unavailable("a watch with a pod that is none") from error
        self._version = pod.metadata.resource_version
        if event.type == "DELETED":
            self._ended.pop(pod.metadata.uid, None)
        elif event.type != "BOOKMARK":
            self._see(pod)

    def _see(self, pod: Pod) -> None:
        labels = pod.metadata.labels
        if (pod.is_over or pod.container(AGENT).terminated) and NAME_LABEL in labels:
            key = Key(instance=labels[INSTANCE_LABEL], name=labels[NAME_LABEL])
            self._ended[pod.metadata.uid] = key


@asynccontextmanager
async def opened(watch: PodWatch) -> AsyncIterator[PodWatch]:
    try:
        yield watch
    finally:
        await watch.close()
