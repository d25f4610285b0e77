"""The world: the ground all actors of a run stand on, and the wall clock they do not agree on."""

from collections.abc import Callable
from contextvars import copy_context
from typing import Any, Final

from tests.simulation.choices import Choices
from tests.simulation.faults import Faults
from tests.simulation.invariants import Invariants
from tests.simulation.scheduler import Scheduler
from tests.simulation.trace import Trace
from tests.store.conformance.memory import Commit, MemoryStore
from tests.store.conformance.tables import Tables

BEGINNING: Final = 1_790_000_000_000
"""The wall clock at the beginning of each run (milliseconds)."""

OpenStore = Callable[[Tables, Commit], Any]


class World:
    """One run's scheduler, choices, faults, tables and judge."""

    instance = "inst_1"

    def __init__(
        self, choices: Choices, *, trace: Trace, open_store: OpenStore = MemoryStore
    ) -> None:
        self.choices = choices
        self.faults = Faults.drawn(choices.stream("faults"))
        self.scheduler = Scheduler()
        self.trace = trace
        self.tables = Tables()
        self.invariants = Invariants(self.tables)
        self._open_store = open_store
        self.is_shared = open_store is MemoryStore
        """True if several gateways may share what is in memory."""
        self._base = BEGINNING
        self._context = copy_context()
        self.look: Callable[[], None] = lambda: None
        """Something happened outside that a waiting launcher may be asked to look at."""
        self.has_jumped = False
        """True if the gateway's wall clock was ever set forward: then no margin can be kept."""

    def later(self, seconds: float, callback: Callable[..., object], *args: Any) -> None:
        """Something that happens to processes, and is done by none of them."""
        self.scheduler.call_later(seconds, callback, *args, context=self._context)

    def wall(self) -> int:
        """The gateway's wall clock (milliseconds)."""
        return self._base + int(self.scheduler.time() * 1000)

    def jump(self, seconds: int) -> None:
        """The wall clock is set."""
        self.trace.note("clock", f"set by {seconds} s")
        self._base += seconds * 1000
        self.has_jumped = self.has_jumped or seconds > 0

    def open_store(self, commit: Commit) -> Any:
        """The store on the run's tables."""
        return self._open_store(self.tables, commit)
