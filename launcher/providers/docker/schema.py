"""What `docker container inspect` shows, and what it means in our words.

Of a container's configuration only the labels are read: its variables are secrets.
"""

from typing import Final

import msgspec

from gateway.wire.launcher import Process, ReportedState
from gateway.wire.times import milliseconds, parse_rfc3339
from launcher.providers.protocol import Key, SandboxStatus

INSTANCE_LABEL: Final = "slipgate-instance"
SNAPSHOT_LABEL: Final = "slipgate-snapshot"
"""The snapshot as the job named it: the image may have another name here."""
_OURS: Final = "slipgate-"
_RUNNING: Final = ("running", "paused", "restarting")


class State(msgspec.Struct, frozen=True, kw_only=True, rename="pascal"):
    """Where the container is in its life."""

    status: str
    error: str = ""
    """Why it could not be started."""
    exit_code: int = 0
    is_out_of_memory: bool = msgspec.field(name="OOMKilled", default=False)


class Settings(msgspec.Struct, frozen=True, kw_only=True, rename="pascal"):
    """What it was made with."""

    labels: dict[str, str] | None = None


class Container(msgspec.Struct, frozen=True, kw_only=True, rename="pascal"):
    """A container."""

    id: str
    name: str
    """With a slash before it."""
    created: str
    state: State
    config: Settings

    @property
    def labels(self) -> dict[str, str]:
        """Those of ours; an image brings its own."""
        given = self.config.labels or {}
        return {name: value for name, value in given.items() if name.startswith(_OURS)}

    @property
    def is_running(self) -> bool:
        """Whether there is something to stop."""
        return self.state.status in _RUNNING

    @property
    def is_unstarted(self) -> bool:
        """Made, and nobody has started it yet."""
        return self.state.status == "created" and not self.state.error

    @property
    def reported_state(self) -> ReportedState:
        """A container whose agent has ended is a sandbox that was started: it keeps its files, and
        its process says the rest."""
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
        """The agent's."""
        if self.is_running:
            return Process(state="running")
        if self.state.status == "exited":
            return Process(state="exited", exit_code=self.state.exit_code)
        return Process(state="unknown")

    def found(self) -> SandboxStatus:
        """As every provider tells it."""
        moment = parse_rfc3339(self.created)
        labels = self.labels
        name = self.name.removeprefix("/")
        return SandboxStatus(
            id=self.id,
            key=Key(instance=labels.get(INSTANCE_LABEL, ""), name=name, id=self.id),
            snapshot=labels.get(SNAPSHOT_LABEL),
            labels=labels,
            state=self.reported_state,
            process=self.process,
            created_at=milliseconds(moment) if moment else 0,
        )


class Network(msgspec.Struct, frozen=True, kw_only=True, rename="pascal"):
    """A network."""

    options: dict[str, str] | None = None
