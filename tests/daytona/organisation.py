"""One Daytona organisation: its snapshots and sandboxes, and what time makes of them."""

import json
import uuid
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field

ORGANISATION = "6a1f0e52-6c3d-4a0b-9d3c-0c5f1d2b3a49"
LISTED_STATES = ("creating", "started", "stopped", "error", "destroying")
QUOTA = (
    "Total CPU limit exceeded. Maximum allowed: 10.\nTo increase concurrency limits, upgrade "
    "your organization's Tier by visiting https://app.daytona.io/dashboard/limits."
)


class Refusal(Exception):
    """What the API answers instead: the status and its message."""

    def __init__(self, status: int, message: str) -> None:
        super().__init__(f"{status}: {message}")
        self.status = status
        self.message = message


@dataclass(kw_only=True)
class Snapshot:
    """An image that sandboxes are made from."""

    name: str
    state: str = "active"
    general: bool = False
    """Daytona's own: belongs to no organisation."""
    entrypoint: tuple[str, ...] | None = ("/bin/bash", "/app/execution.sh")
    regions: tuple[str, ...] | None = None
    """None: an API that does not tell."""
    error_reason: str | None = None
    ready_at: float = 0.0
    """When it comes to `becomes`, in seconds of the organisation's clock."""
    becomes: str | None = None
    wanted: Mapping[str, object] = field(default_factory=dict)
    """What it was asked for with."""
    id: str = field(default_factory=lambda: str(uuid.uuid4()))


@dataclass(kw_only=True)
class Sandbox:
    """A sandbox; `changes` are the states it comes to by itself, at their moments (seconds)."""

    id: str
    name: str
    snapshot: str
    env: Mapping[str, str]
    labels: Mapping[str, str]
    settings: Mapping[str, object]
    created_at: float
    error_reason: str | None = None
    changes: list[tuple[float, str]] = field(default_factory=list)

    def state(self, now: float) -> str:
        """The newest state that has come."""
        return [state for at, state in self.changes if at <= now][-1]

    def is_there(self, now: float) -> bool:
        """Whether a GET finds it: what is destroyed answers 404."""
        return self.state(now) != "destroyed"

    def move(self, now: float, *changes: tuple[float, str]) -> None:
        """Leaves its plan; `changes` are seconds from now."""
        self.changes = [change for change in self.changes if change[0] <= now]
        self.changes += [(now + after, state) for after, state in changes]


@dataclass(kw_only=True)
class Habits:
    """How this Daytona behaves; durations in seconds."""

    start_seconds: float = 0.0
    destroy_seconds: float = 0.0
    wait_seconds: float = 0.0
    """How long a create waits for `started`; the real one waits 30 s, then answers the state of
    before the wait all the same."""
    list_lag_seconds: float = 0.0
    """The list shows the world as it was so long ago."""
    minute_seconds: float = 60.0
    """How long a minute of auto-stop takes."""
    ignores_snapshot: bool = False
    """Makes every sandbox from the default snapshot."""
    name_is_freed_at_once: bool = True
    """Since v0.178.0; before, a name was taken until its sandbox was destroyed."""
    fails_to_start: str | None = None
    """The reason with which sandboxes end in `error`."""
    max_sandboxes: int = 10_000
    build_seconds: float = 0.0
    """How long a snapshot is built or activated."""
    fails_to_build: str | None = None
    """The reason with which builds end in `build_failed`."""


class Organisation:
    """Everything that belongs to one API key's organisation."""

    def __init__(self, clock: Callable[[], float], habits: Habits | None = None) -> None:
        self.clock = clock
        self.habits = habits or Habits()
        self.default_snapshot = "daytonaio/sandbox:0.4.3"
        self.snapshots = {self.default_snapshot: Snapshot(name=self.default_snapshot, general=True)}
        self.sandboxes: dict[str, Sandbox] = {}

    def add_snapshot(self, snapshot: Snapshot) -> Snapshot:
        """A snapshot of ours."""
        self.snapshots[snapshot.name] = snapshot
        return snapshot

    def living(self) -> list[Sandbox]:
        """Those that are not destroyed and not on their way there."""
        now = self.clock()
        gone = ("destroying", "destroyed")
        return [each for each in self.sandboxes.values() if each.state(now) not in gone]

    def create(self, wanted: Mapping[str, object]) -> Sandbox:
        """Unknown fields are dropped without a word, as the real API drops them.

        Raises:
            Refusal: with the texts of the real API.
        """
        now = self.clock()
        self._apply_auto_stop()
        snapshot = self._snapshot(wanted)
        name = str(wanted.get("name") or "")
        if name and self._holder_of(name):
            raise Refusal(409, f"Sandbox with name {name} already exists")
        if len(self.living()) >= self.habits.max_sandboxes:
            raise Refusal(400, QUOTA)
        identity = str(uuid.uuid4())
        made = Sandbox(
            id=identity,
            name=name or identity,
            snapshot=snapshot,
            env=_texts(wanted.get("env")),
            labels=_texts(wanted.get("labels")),
            settings={key: wanted[key] for key in _SETTINGS if key in wanted},
            created_at=now,
        )
        made.move(now, (0.0, "creating"), (self.habits.start_seconds, self._comes_to()))
        made.error_reason = self.habits.fails_to_start
        self.sandboxes[identity] = made
        return made

    def find(self, id_or_name: str) -> Sandbox:
        """By id first, then by name.

        Raises:
            Refusal: 404.
        """
        self._apply_auto_stop()
        now = self.clock()
        by_id = self.sandboxes.get(id_or_name)
        found = by_id or self._holder_of(id_or_name)
        if found is None or not found.is_there(now):
            raise Refusal(404, f"Sandbox with ID or name {id_or_name} not found")
        return found

    def destroy(self, id_or_name: str) -> Sandbox:
        """Accepted at once, done later; the name may be free before that."""
        found = self.find(id_or_name)
        now = self.clock()
        if found.state(now) == "destroying":
            raise Refusal(409, "Sandbox state change in progress")
        found.move(now, (0.0, "destroying"), (self.habits.destroy_seconds, "destroyed"))
        if self.habits.name_is_freed_at_once:
            found.name = f"DESTROYED_{found.name}_{round(now * 1000)}"
        return found

    def stop(self, id_or_name: str) -> Sandbox:
        """Stops it, as auto-stop does."""
        found = self.find(id_or_name)
        found.move(self.clock(), (0.0, "stopped"))
        return found

    def start(self, id_or_name: str) -> Sandbox:
        """Starts a stopped one: its entrypoint runs again."""
        found = self.find(id_or_name)
        found.move(self.clock(), (0.0, "starting"), (self.habits.start_seconds, "started"))
        return found

    def listed(self, labels: Mapping[str, str]) -> Iterator[Sandbox]:
        """Eventually consistent: as the world was a while ago."""
        self._apply_auto_stop()
        then = self.clock() - self.habits.list_lag_seconds
        for each in self.sandboxes.values():
            was_there = each.created_at <= then and each.state(then) != "destroyed"
            if was_there and labels.items() <= each.labels.items():
                yield each

    def snapshot(self, id_or_name: str) -> Snapshot:
        """One snapshot.

        Raises:
            Refusal: 404.
        """
        for each in self.snapshots.values():
            if id_or_name in (each.id, each.name):
                if each.becomes is not None and each.ready_at <= self.clock():
                    each.state, each.becomes = each.becomes, None
                return each
        raise Refusal(404, f"Snapshot with ID or name {id_or_name} not found")

    def build(self, name: str, wanted: Mapping[str, object]) -> Snapshot:
        """A snapshot that is ready, or has failed, after a while."""
        entry = wanted.get("entrypoint")
        words = tuple(map(str, entry)) if isinstance(entry, list) else ("sleep", "infinity")
        made = Snapshot(name=name, state="building", entrypoint=words, wanted=wanted)
        made.error_reason = self.habits.fails_to_build
        self._settle(made, "build_failed" if self.habits.fails_to_build else "active")
        return self.add_snapshot(made)

    def activate(self, id_or_name: str) -> Snapshot:
        """Takes a while, too.

        Raises:
            Refusal: it does not rest.
        """
        found = self.snapshot(id_or_name)
        if found.state == "active":
            raise Refusal(400, f"Snapshot {found.id} is already active")
        found.state = "pulling"
        self._settle(found, "active")
        return found

    def _settle(self, snapshot: Snapshot, state: str) -> None:
        snapshot.ready_at = self.clock() + self.habits.build_seconds
        snapshot.becomes = state

    def _snapshot(self, wanted: Mapping[str, object]) -> str:
        name = str(wanted.get("snapshot") or self.default_snapshot)
        if self.habits.ignores_snapshot:
            return self.default_snapshot
        if name not in self.snapshots:
            raise Refusal(
                400, f"Snapshot {name} not found. Did you add it through the Daytona Dashboard?"
            )
        state = self.snapshots[name].state
        if state != "active":
            raise Refusal(400, f"Snapshot {name} is {state}")
        if any(wanted.get(key) for key in ("cpu", "memory", "disk", "gpu")):
            raise Refusal(400, "Cannot specify Sandbox resources when using a snapshot")
        return name

    def _holder_of(self, name: str) -> Sandbox | None:
        now = self.clock()
        holders = [each for each in self.sandboxes.values() if each.name == name]
        return next((each for each in holders if each.is_there(now)), None)

    def _comes_to(self) -> str:
        return "error" if self.habits.fails_to_start else "started"

    def _apply_auto_stop(self) -> None:
        """What runs inside is no activity: a busy agent is stopped like an idle one."""
        now = self.clock()
        for each in self.sandboxes.values():
            minutes = each.settings.get("autoStopInterval", 15)
            if not isinstance(minutes, int) or not minutes or each.state(now) != "started":
                continue
            started = next(at for at, state in reversed(each.changes) if state == "started")
            if now >= started + minutes * self.habits.minute_seconds:
                each.move(now, (0.0, "stopped"))


_SETTINGS = (
    "autoStopInterval",
    "autoArchiveInterval",
    "autoDeleteInterval",
    "ttlMinutes",
    "networkBlockAll",
    "target",
    "public",
    "user",
    "secrets",
)


def _texts(value: object) -> dict[str, str]:
    if not isinstance(value, dict):
        return {}
    return {str(key): str(text) for key, text in value.items()}


def labels_of(text: str | None) -> dict[str, str]:
    """The `labels` parameter of the list: a JSON object in a string."""
    return _texts(json.loads(text)) if text else {}
