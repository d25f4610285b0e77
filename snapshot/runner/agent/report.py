"""What an engine is to the workflow, and what it tells at its end."""

from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from ..failure import Failure


@dataclass(frozen=True, kw_only=True, slots=True)
class AgentResult:
    """How the agent ended; what it changed lies in the checkout."""

    summary: str
    """The agent's own last words; untrusted text."""
    failure: Failure | None = None
    """ExclusionReason it ended before it said that it was done."""


class Engine(Protocol):
    """Works on a checkout until it is done, stuck, or out of its limits."""

    def work(self, prompt: str, checkout: Path) -> AgentResult:
        """Do the task.

        Raises:
            Stopped: the attempt was stopped.
        """
