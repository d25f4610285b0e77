"""The boundaries of a task's steps: at each of them something is killed.

`ASKED`: what the message tells of is done, and nobody knows. `ANSWERED`: it is known and stored,
and whoever told it does not hear so.
"""

from dataclasses import dataclass
from typing import Any, Final

from gateway.demo.sample import MODULE
from tests.e2e.proxy import Boundary, Moment

MENDING: Final = "s|sum(prices) - discount_percent|sum(prices) * (100 - discount_percent) // 100|"
BY_COMMAND: Final[dict[str, Any]] = {
    "engine": "command",
    "command": ["sed", "-i", MENDING, MODULE],
}
"""Does the work at once: quicker than a conversation with a model."""
BY_MODEL: Final[dict[str, Any]] = {"engine": "mini"}


@dataclass(frozen=True, kw_only=True)
class Fate:
    """What becomes of a task whose agent dies at a boundary."""

    at: Boundary
    statuses: tuple[str, ...] = ("completed",)
    attempts: int = 2

    def __str__(self) -> str:
        return str(self.at)


PROPOSED: Final = ("completed", "needs_review")
"""There is a pull request. The agent does not wait before it says its last word: that may have
come to the spool already, or not."""


def asked(message: str) -> Boundary:
    """Held on its way to the gateway."""
    return Boundary(message=message, moment=Moment.ASKED)


def answered(message: str) -> Boundary:
    """Held on the way back."""
    return Boundary(message=message, moment=Moment.ANSWERED)


OF_THE_LAUNCHER: Final = (
    answered("create.claim"),
    asked("create.trying"),
    answered("create.trying"),
    asked("create.created"),
    answered("create.created"),
    asked("create.done"),
    answered("create.done"),
    answered("destroy.claim"),
    asked("destroy.done"),
    answered("destroy.done"),
)
OF_A_DRAIN: Final = (
    ("launcher", answered("inspect.claim")),
    ("launcher", asked("inspect.spool")),
    ("launcher", answered("inspect.spool")),
    ("launcher", asked("inspect.done")),
    ("launcher", answered("inspect.done")),
    ("gateway", answered("inspect.claim")),
    ("gateway", answered("inspect.spool")),
    ("gateway", answered("inspect.done")),
)
"""Of an agent that has fallen silent, with a word in its spool that nobody heard."""
OF_A_LAST_DRAIN: Final = (
    ("launcher", asked("destroy.spool")),
    ("launcher", answered("destroy.spool")),
    ("gateway", answered("destroy.spool")),
)
"""Of an agent that was not told that its last word was heard."""
OF_THE_GATEWAY: Final = (
    answered("create.claim"),
    answered("create.trying"),
    answered("create.created"),
    answered("create.done"),
    answered("agent.started"),
    answered("agent.clone"),
    answered("agent.push"),
    answered("agent.pr"),
    answered("agent.pr_created"),
    asked("agent.completed"),
    answered("agent.completed"),
    answered("destroy.claim"),
    answered("destroy.done"),
)
OF_THE_AGENT: Final = (
    Fate(at=asked("agent.started")),
    Fate(at=answered("agent.started")),
    Fate(at=asked("agent.clone")),
    Fate(at=answered("agent.clone")),
    Fate(at=asked("agent.push")),
    Fate(at=answered("agent.push")),
    Fate(at=asked("agent.pr")),
    Fate(at=answered("agent.pr")),
    Fate(at=asked("agent.pr_created"), statuses=PROPOSED, attempts=1),
    Fate(at=answered("agent.pr_created"), statuses=PROPOSED, attempts=1),
    Fate(at=asked("agent.completed"), attempts=1),
    Fate(at=answered("agent.completed"), attempts=1),
)
"""What was said is in its spool, even if the gateway did not hear it."""
