"""The boundaries of a task's steps: at each of them something is killed.

`ASKED`: what the message tells of is done, and nobody knows. `ANSWERED`: it is known and stored,
and whoever told it does not hear so.
"""

from typing import Any, Final, NamedTuple

from gateway.demo.sample import MODULE
from tests.e2e.proxy import Boundary, Moment

MENDING: Final = "s|sum(prices) - discount_percent|sum(prices) * (100 - discount_percent) // 100|"
BY_COMMAND: Final[dict[str, Any]] = {
    "engine": "command",
    "command": ["sed", "-i", MENDING, MODULE],
}
"""Does the work at once: quicker than a conversation with a model."""
QUICK: Final[dict[str, Any]] = {"agent": BY_COMMAND, "validate": [["true"]]}
"""A task whose work and checks are beside the point."""
BY_MODEL: Final[dict[str, Any]] = {"engine": "mini"}


Kill = tuple[str, Boundary]
"""Of a program, where somebody waits."""
Kills = tuple[Kill, ...]
"""Of one task, each at a later step than the one before."""


class End(NamedTuple):
    """The states in which a task may end whose agent is killed at this boundary."""

    boundary: Boundary
    statuses: tuple[str, ...]


DONE: Final = ("completed",)
PROPOSED: Final = ("completed", "needs_review")
"""There is a pull request. The agent does not wait before it says its last word: that may have
come to the spool already, or not."""


def asked(message: str) -> Boundary:
    """Held on its way to the gateway."""
    return Boundary(message=message, moment=Moment.ASKED)


def answered(message: str) -> Boundary:
    """Held on the way back."""
    return Boundary(message=message, moment=Moment.ANSWERED)


def kills(program: str, *boundaries: Boundary) -> Kills:
    """Of one program, again and again."""
    return tuple((program, boundary) for boundary in boundaries)


FIRST_WORD: Final = asked("agent.started")
OF_THE_GATEWAY: Final = (
    kills(
        "gateway",
        answered("create.claim"),
        answered("create.created"),
        answered("agent.started"),
        answered("agent.push"),
        answered("agent.pr_created"),
        asked("agent.completed"),
        answered("destroy.claim"),
    ),
    kills(
        "gateway",
        answered("create.trying"),
        answered("create.done"),
        answered("agent.clone"),
        answered("agent.pr"),
        answered("agent.completed"),
        answered("destroy.done"),
    ),
)
OF_THE_LAUNCHER: Final = (
    kills(
        "launcher",
        answered("create.claim"),
        asked("create.trying"),
        asked("create.created"),
        asked("create.done"),
        answered("destroy.claim"),
        asked("destroy.done"),
    ),
    kills(
        "launcher",
        answered("create.trying"),
        answered("create.created"),
        answered("create.done"),
        answered("destroy.done"),
    ),
)
OF_A_DRAIN: Final = (
    kills(
        "launcher",
        answered("inspect.claim"),
        asked("inspect.spool"),
        answered("inspect.spool"),
        asked("inspect.done"),
        answered("inspect.done"),
    ),
    kills(
        "gateway",
        answered("inspect.claim"),
        answered("inspect.spool"),
        answered("inspect.done"),
    ),
)
"""Of an agent that has fallen silent, with a word in its spool that nobody heard."""
OF_A_LAST_DRAIN: Final = (
    kills("launcher", asked("destroy.spool"), answered("destroy.spool")),
    kills("gateway", answered("destroy.spool")),
)
"""Of an agent that was not told that its last word was heard."""
OF_THE_AGENT: Final = (
    (asked("agent.started"), answered("agent.started"), asked("agent.push")),
    (answered("agent.push"), asked("agent.pr"), answered("agent.pr")),
)
"""Each in an attempt of its own, which ends with it. Of a kill before there is any work: that of
the task that has no other attempt."""
OF_AN_AGENT_THAT_IS_DONE: Final = (
    End(asked("agent.pr_created"), PROPOSED),
    End(answered("agent.pr_created"), PROPOSED),
    End(asked("agent.completed"), DONE),
)
"""Points at which the agent's spool holds the event, even if the gateway never received it. Of one
whose last word was received: the last drains."""
