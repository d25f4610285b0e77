"""One Daytona organisation: its snapshots and sandboxes, and their changes over time."""

import json
import uuid
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field

ORGANISATION = "6a1f0e52-6c3d-4a0b-9d3c-0c5f1d2b3a49"
QUOTA = (
    "Total CPU limit exceeded. Maximum allowed: 10.\nTo increase concurrency limits, upgrade "
    "your organization's Tier by visiting https://app.daytona.io/dashboard/limits."
)


class Refusal(Exception):
    """The API's error response: status and message."""

    def __init__(self, status: int, message: str) -> None:
        super().__init__(f"{status}: {message}")
        self.status = status
        self.message = message


@dataclass(kw_only=True)
class Snapshot:
    name: str
    state: str = "active"
    general: bool = False
    """Daytona's own: belongs to no organisation."""
    entrypoint: tuple[str, ...] | None = ("/bin/bash", "/app/execution.sh")
    regions: tuple[str, ...] | None = None
    """None: the API does not show it."""
    error_reason: str | None = None
    ready_at: float = 0.0
    """Time at which the state is `becomes`, in seconds of the organisation's clock."""
    becomes: str | None = None
    wanted: Mapping[str, object] = field(default_factory=dict)
    """Options of the create."""
    id: str = field(default_factory=lambda: str(uuid.uuid4()))


@dataclass(kw_only=True)
class Sandbox:
    """A sandbox; `changes` are its future states with their times (seconds)."""

    id: str
    name: str
    snapshot: str
    env: Mapping[str, str]
    labels: Mapping[str, str]
    settings: Mapping[str, object]
    created_at: float
    error_reason: str | None = None
    queue_timed_out_at: float | None = None
    spot_evicted_at: float | None = None
    """Times of the organisation's clock at which Daytona itself ended it."""
    changes: list[tuple[float, str]] = field(default_factory=list)

    def state(self, now: float) -> str:
        return [state for at, state in self.changes if at <= now][-1]

    def is_there(self, now: float) -> bool:
        """True if a GET finds it: a destroyed one is 404."""
        return self.state(now) != "destroyed"

    def move(self, now: float, *changes: tuple[float, str]) -> None:
        """Replaces the plan; `changes` are seconds from now."""
        self.changes = [change for change in self.changes if change[0] <= now]
        self.changes += [(now + after, state) for after, state in changes]


@dataclass(kw_only=True)
class Habits:
    """Behaviour of this Daytona; durations in seconds."""

    start_seconds: float = 0.0
    destroy_seconds: float = 0.0
    wait_seconds: float = 0.0
    """Wait of a create for `started`; the real one waits 30 s, then sends the state before the
    wait."""
    list_lag_seconds: float = 0.0
    """Age of the state that the list shows."""
    minute_seconds: float = 60.0
    """Length of a minute of auto-stop."""
    ignores_snapshot: bool = False
    """Creates every sandbox from the default snapshot."""
    name_is_freed_at_once: bool = True
    """True since v0.178.0; before, a name was taken until its sandbox was destroyed."""
    fails_to_start: str | None = None
    """The reason of sandboxes in `error`."""
    max_sandboxes: int = 10_000
    build_seconds: float = 0.0
    """Duration of a build or an activation."""
    fails_to_build: str | None = None
    """The reason of builds in `build_failed`."""
    shows_destroyed_seconds: float = 0.0
    """Time for which a destroyed sandbox is found by its id (24 h, seen with the client of v0.231).
    """
    max_lifespan_minutes: int = 0
    """The largest allowed `ttlMinutes`; 0: any."""
    lifespan_text: str = (
        "Requested TTL of {ttl} minutes exceeds the maximum sandbox lifespan of {max} minutes"
    )
    """An invented text: no published source has the real one."""
    is_ephemeral_only: bool = False
    """True if the region keeps no stopped sandbox."""
    suspended: str | None = None
    """The reason of the organisation's suspension."""


class Organisation:
    """All resources of one API key's organisation."""

    def __init__(self, clock: Callable[[], float], habits: Habits | None = None) -> None:
        self.clock = clock
        self.habits = habits or Habits()
        self.default_snapshot = "daytonaio/sandbox:0.4.3"
        self.snapshots = {self.default_snapshot: Snapshot(name=self.default_snapshot, general=True)}
        self.sandboxes: dict[str, Sandbox] = {}

    def add_snapshot(self, snapshot: Snapshot) -> Snapshot:
        self.snapshots[snapshot.name] = snapshot
        return snapshot

    def living(self) -> list[Sandbox]:
        """Sandboxes that are neither destroyed nor destroying."""
        now = self.clock()
        gone = ("destroying", "destroyed")
        return [each for each in self.sandboxes.values() if each.state(now) not in gone]

    def create(self, wanted: Mapping[str, object]) -> Sandbox:
        """Drops unknown fields silently; raises `Refusal` with the texts of the real API."""
        now = self.clock()
        self._apply_auto_stop()
        if self.habits.suspended is not None:
            raise Refusal(403, f"Organization is suspended: {self.habits.suspended}")
        self._check_lifespan(wanted.get("ttlMinutes"))
        if self.habits.is_ephemeral_only and wanted.get("autoDeleteInterval") != 0:
            raise Refusal(400, "Only ephemeral sandboxes are permitted in this region")
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
        """Looks up by id, then by name; raises `Refusal` (404)."""
        self._apply_auto_stop()
        now = self.clock()
        by_id = self.sandboxes.get(id_or_name)
        found = by_id or self._holder_of(id_or_name)
        is_shown = found is not None and (
            found.is_there(now) or (found is by_id and self._is_kept(found, now))
        )
        if found is None or not is_shown:
            raise Refusal(404, f"Sandbox with ID or name {id_or_name} not found")
        return found

    def destroy(self, id_or_name: str) -> Sandbox:
        """Accepts at once and ends later; the name may be free before."""
        found = self.find(id_or_name)
        now = self.clock()
        if found.state(now) == "destroyed":
            return found
        if found.state(now) == "destroying":
            raise Refusal(409, "Sandbox state change in progress")
        found.move(now, (0.0, "destroying"), (self.habits.destroy_seconds, "destroyed"))
        if self.habits.name_is_freed_at_once:
            found.name = f"DESTROYED_{found.name}_{round(now * 1000)}"
        return found

    def evict(self, id_or_name: str, *, is_spot: bool = True) -> Sandbox:
        """Daytona's own end of a spot sandbox, or of one that waited too long for capacity."""
        found = self.find(id_or_name)
        now = self.clock()
        found.move(now, (0.0, "destroyed"))
        if is_spot:
            found.spot_evicted_at = now
        else:
            found.queue_timed_out_at = now
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
        """Eventually consistent: the state of a while ago."""
        self._apply_auto_stop()
        then = self.clock() - self.habits.list_lag_seconds
        for each in self.sandboxes.values():
            was_there = each.created_at <= then and each.state(then) != "destroyed"
            if was_there and labels.items() <= each.labels.items():
                yield each

    def snapshot(self, id_or_name: str) -> Snapshot:
        """Raises `Refusal` (404)."""
        for each in self.snapshots.values():
            if id_or_name in (each.id, each.name):
                if each.becomes is not None and each.ready_at <= self.clock():
                    each.state, each.becomes = each.becomes, None
                return each
        raise Refusal(404, f"Snapshot with ID or name {id_or_name} not found")

    def build(self, name: str, wanted: Mapping[str, object]) -> Snapshot:
        """A snapshot whose build succeeds or fails after a while."""
        entry = wanted.get("entrypoint")
        words = tuple(map(str, entry)) if isinstance(entry, list) else ("sleep", "infinity")
        made = Snapshot(name=name, state="building", entrypoint=words, wanted=wanted)
        made.error_reason = self.habits.fails_to_build
        self._settle(made, "build_failed" if self.habits.fails_to_build else "active")
        return self.add_snapshot(made)

    def activate(self, id_or_name: str) -> Snapshot:
        """Takes a while; raises `Refusal` unless the snapshot is inactive."""
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
        """The snapshot's name, which the sandbox shows, also if it was asked for by id."""
        name = str(wanted.get("snapshot") or self.default_snapshot)
        if self.habits.ignores_snapshot:
            return self.default_snapshot
        name = next((each.name for each in self.snapshots.values() if each.id == name), name)
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

    def _check_lifespan(self, ttl: object) -> None:
        longest = self.habits.max_lifespan_minutes
        if longest and isinstance(ttl, int) and ttl > longest:
            raise Refusal(400, self.habits.lifespan_text.format(ttl=ttl, max=longest))

    def _is_kept(self, sandbox: Sandbox, now: float) -> bool:
        destroyed_at = sandbox.changes[-1][0]
        return now < destroyed_at + self.habits.shows_destroyed_seconds

    def _holder_of(self, name: str) -> Sandbox | None:
        now = self.clock()
        holders = [each for each in self.sandboxes.values() if each.name == name]
        return next((each for each in holders if each.is_there(now)), None)

    def _comes_to(self) -> str:
        return "error" if self.habits.fails_to_start else "started"

    def _apply_auto_stop(self) -> None:
        """Processes inside are no activity: a busy agent is stopped like an idle one."""
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
