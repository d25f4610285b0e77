"""Output of `docker container inspect` and `docker network inspect`.

Of a container's configuration only the labels are read: its variables are secrets.
"""

from typing import Final

import msgspec

from gateway.wire.launcher import Process, ReportedState
from gateway.wire.times import milliseconds, parse_rfc3339
from launcher.providers.protocol import INSTANCE_LABEL, Key, SandboxStatus

SNAPSHOT_LABEL: Final = "slipgate-snapshot"
"""The snapshot as the job names it: the image may have another name here."""
_PREFIX: Final = "slipgate-"
_RUNNING: Final = ("running", "paused", "restarting")


class State(msgspec.Struct, frozen=True, kw_only=True, rename="pascal"):
    status: str
    error: str = ""
    """The reason why it could not be started."""
    exit_code: int = 0
    is_out_of_memory: bool = msgspec.field(name="OOMKilled", default=False)


class Config(msgspec.Struct, frozen=True, kw_only=True, rename="pascal"):
    labels: dict[str, str] | None = None


class Container(msgspec.Struct, frozen=True, kw_only=True, rename="pascal"):
    id: str
    name: str
    """With a leading slash."""
    created: str
    state: State
    config: Config

    @property
    def labels(self) -> dict[str, str]:
        """Labels of slipgate; an image brings its own."""
        labels = self.config.labels or {}
        return {name: value for name, value in labels.items() if name.startswith(_PREFIX)}

    @property
    def is_running(self) -> bool:
        return self.state.status in _RUNNING

    @property
    def is_unstarted(self) -> bool:
        return self.state.status == "created" and not self.state.error

    @property
    def reported_state(self) -> ReportedState:
        """`started` also for a container whose agent has ended: it keeps its files, and its process
        is reported apart."""
        match self.state.status:
            case "created":
                return "error" if self.state.error else "creating"
            case "running" | "paused" | "restarting" | "exited":
                return "started"
            case "dead":
                return "error"
            case _:
                return "unknown"

    @property
    def process(self) -> Process:
        if self.is_running:
            return Process(state="running")
        if self.state.status == "exited":
            return Process(state="exited", exit_code=self.state.exit_code)
        return Process(state="unknown")

    def sandbox_status(self) -> SandboxStatus:
        created_at = parse_rfc3339(self.created)
        labels = self.labels
        name = self.name.removeprefix("/")
        return SandboxStatus(
            id=self.id,
            key=Key(instance=labels.get(INSTANCE_LABEL, ""), name=name, id=self.id),
            snapshot=labels.get(SNAPSHOT_LABEL),
            labels=labels,
            state=self.reported_state,
            process=self.process,
            created_at=milliseconds(created_at) if created_at else 0,
        )


class Network(msgspec.Struct, frozen=True, kw_only=True, rename="pascal"):
    options: dict[str, str] | None = None
