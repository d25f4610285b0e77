"""The one node: runs the containers of pods as processes, with a folder for each pod.

A process cannot be confined to that folder. Instead the paths of a pod's volumes are moved there,
in its variables and in its commands alike; its first process has another number than 1, so signals
to 1 and to all others become signals to that process and its group.
"""

import asyncio
import base64
import contextlib
import os
import shutil
import signal
from asyncio.subprocess import DEVNULL, PIPE, Process
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.kubernetes.store import Object, Store, now

MOVED = ("/slipgate-environment", "/slipgate/")
AGENT, SIDECAR = "agent", "spool"


@dataclass(frozen=True, kw_only=True)
class Image:
    """The entrypoint of an image, its PATH, and its /app on this host."""

    entrypoint: Sequence[str]
    search: str = os.defpath
    app: Path | None = None


class Node:
    """A kubelet and its containers."""

    def __init__(self, store: Store, folder: Path) -> None:
        self.images: dict[str, Image] = {}
        self.starts: list[str] = []
        """The Job of every agent that was started."""
        self.unready: dict[str, Object] = {}
        """Image → the state in which its containers stay, in place of a start."""
        self.is_full = False
        """True: no pod is scheduled."""
        self.is_lost = False
        """True: the node does not answer, and ends no pod."""
        self._store = store
        self._folder = folder
        self._agents: dict[str, Process] = {}
        self._tasks: dict[str, asyncio.Task[None]] = {}

    def root(self, uid: str) -> Path:
        """The files of a pod's volumes."""
        return self._folder / uid

    def sync(self) -> None:
        """Starts pods that are new, and ends those that are marked."""
        for pod in self._store.all("pods"):
            metadata = pod["metadata"]
            uid = metadata["uid"]
            if "deletionTimestamp" in metadata and not self.is_lost:
                self._begin(f"end {uid}", self._end(pod))
            elif "deletionTimestamp" not in metadata and not self.is_full:
                self._begin(uid, self._run(pod))

    def _begin(self, name: str, work: Any) -> None:
        if name in self._tasks:
            work.close()
            return
        self._tasks[name] = asyncio.get_running_loop().create_task(work)

    async def close(self) -> None:
        """Kills all processes."""
        for task in self._tasks.values():
            task.cancel()
        await asyncio.gather(*self._tasks.values(), return_exceptions=True)
        for agent in self._agents.values():
            _kill(agent)
            await agent.wait()

    def kill(self, uid: str) -> None:
        """Kills the agent's container, as the kernel does for want of memory."""
        _kill(self._agents[uid])

    async def execute(
        self, pod: Object, container: str, command: Sequence[str]
    ) -> tuple[int, bytes, bytes]:
        """Runs a command in a container."""
        uid = pod["metadata"]["uid"]
        words = list(command)
        if container == AGENT:
            pid = self._agents[uid].pid
            assert pid > 1
            words = [{"1": str(pid), "-1": f"-{pid}"}.get(word, word) for word in words]
            assert not {"1", "-1", "0"} & set(words), "a signal to this machine"
        process = await asyncio.create_subprocess_exec(
            *self._moved(pod, words),
            cwd=self.root(uid),
            env=self._environment(pod, {}),
            stdin=DEVNULL,
            stdout=PIPE,
            stderr=PIPE,
        )
        out, err = await process.communicate()
        return process.returncode or 0, out, err

    def log(self, uid: str) -> bytes:
        path = self.root(uid) / "log"
        return path.read_bytes() if path.exists() else b""

    async def _run(self, pod: Object) -> None:
        name, uid = pod["metadata"]["name"], pod["metadata"]["uid"]
        scheduled = {"type": "PodScheduled", "status": "True"}
        pod["spec"]["nodeName"] = "node-1"
        self._status(name, phase="Pending", conditions=[scheduled])
        image = pod["spec"]["containers"][0]["image"]
        if (state := self.unready.get(image) or self._missing(image)) is not None:
            waiting = [{"name": AGENT, "state": state}, {"name": SIDECAR, "state": {}}]
            self._status(name, containerStatuses=waiting)
            return
        self.root(uid).mkdir(parents=True)
        secret = pod["spec"]["volumes"][1]["secret"]["secretName"]
        if ("secrets", secret) not in self._store.objects:
            return  # FailedMount: the kubelet tries for ever
        for file, content in self._store.get("secrets", secret)["data"].items():
            path = self.root(uid) / "slipgate-environment" / file
            path.parent.mkdir()
            path.write_bytes(base64.b64decode(content))
        (init,) = pod["spec"]["initContainers"]
        ran = await asyncio.create_subprocess_exec(
            *self._moved(pod, init["command"]), env=self._environment(pod, {})
        )
        code = await ran.wait()
        shutil.rmtree(self.root(uid) / "slipgate-environment")
        ended = {"terminated": {"exitCode": code, "reason": "Completed" if not code else "Error"}}
        self._status(name, initContainerStatuses=[{"name": init["name"], "state": ended}])
        if code:
            self._status(name, phase="Failed")
            return
        await self._run_agent(pod, image)

    async def _run_agent(self, pod: Object, image: str) -> None:
        name, uid = pod["metadata"]["name"], pod["metadata"]["uid"]
        given = {each["name"]: each["value"] for each in pod["spec"]["containers"][0]["env"]}
        sidecar = {"name": SIDECAR, "state": {"running": {"startedAt": now()}}}
        self.starts.append(pod["metadata"]["ownerReferences"][0]["name"])
        try:
            with (self.root(uid) / "log").open("wb") as log:
                agent = await asyncio.create_subprocess_exec(
                    *self._moved(pod, self.images[image].entrypoint),
                    cwd=self.root(uid),
                    env=self._environment(pod, given),
                    stdin=DEVNULL,
                    stdout=log,
                    stderr=log,
                    start_new_session=True,
                )
        except FileNotFoundError as error:
            ended = {"exitCode": 128, "reason": "StartError", "message": f"exec: {error}"}
            agents = {"name": AGENT, "state": {"terminated": ended}}
            self._status(name, phase="Running", containerStatuses=[agents, sidecar])
            return
        self._agents[uid] = agent
        running = {"name": AGENT, "state": {"running": {"startedAt": now()}}}
        self._status(name, phase="Running", containerStatuses=[running, sidecar])
        code = await agent.wait()
        _kill(agent)
        code = 128 - code if code < 0 else code
        ended = {"exitCode": code, "reason": "Completed" if code == 0 else "Error"}
        agents = {"name": AGENT, "state": {"terminated": ended}}
        self._status(name, containerStatuses=[agents, sidecar])

    async def _end(self, pod: Object) -> None:
        uid = pod["metadata"]["uid"]
        if (running := self._tasks.get(uid)) is not None:
            running.cancel()
            await asyncio.gather(running, return_exceptions=True)
        if (agent := self._agents.pop(uid, None)) is not None:
            with contextlib.suppress(ProcessLookupError):
                agent.terminate()
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(agent.wait(), pod["spec"]["terminationGracePeriodSeconds"])
            _kill(agent)
            await agent.wait()
        shutil.rmtree(self.root(uid), ignore_errors=True)
        self._status(pod["metadata"]["name"], phase="Failed")
        self._store.drop("pods", pod["metadata"]["name"])

    def _missing(self, image: str) -> Object | None:
        if image in self.images:
            return None
        message = f'failed to pull and unpack image "{image}": failed to resolve: not found'
        return {"waiting": {"reason": "ErrImagePull", "message": message}}

    def _moved(self, pod: Object, words: Sequence[str]) -> list[str]:
        root = self.root(pod["metadata"]["uid"])
        app = self.images[pod["spec"]["containers"][0]["image"]].app
        moved = []
        for word in words:
            here = word
            for path in MOVED:
                here = here.replace(path, f"{root}{path}")
            moved.append(here.replace("/app/", f"{app}/") if app else here)
        return moved

    def _environment(self, pod: Object, given: Mapping[str, str]) -> dict[str, str]:
        uid = pod["metadata"]["uid"]
        image = self.images[pod["spec"]["containers"][0]["image"]]
        environment = {"PATH": image.search, "HOME": str(self.root(uid)), **given}
        if "SLIPGATE_STATE_DIR" in environment:
            (moved,) = self._moved(pod, [environment["SLIPGATE_STATE_DIR"]])
            environment["SLIPGATE_STATE_DIR"] = moved
        return environment

    def _status(self, name: str, **status: Any) -> None:
        self._store.set_status("pods", name, **status)


def _kill(process: Process) -> None:
    with contextlib.suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
