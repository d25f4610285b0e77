"""The requests to the model that a program, and whatever it starts, may still make."""

import threading
from typing import Final

from ...configuration import AgentChoice
from ...failure import Failure
from .. import limits
from ..engine import EngineContext

REQUESTS_PER_TURN: Final = 20
"""A turn takes one, and some for titles, counts of tokens and agents of the program's own."""


class Allowance:
    """Of one attempt, over all runs of its program."""

    def __init__(self, choice: AgentChoice, context: EngineContext) -> None:
        self._choice = choice
        self._context = context
        self._lock = threading.Lock()
        self._left = REQUESTS_PER_TURN * choice.max_turns
        self.exceeded: Failure | None = None
        """The limit by which a request was refused."""

    def take(self) -> None:
        """Use one; raises `Failure` if a limit of the task is reached. Safe from any thread."""
        with self._lock:
            try:
                self._check()
            except Failure as failure:
                self.exceeded = failure
                raise
            self._left -= 1

    def _check(self) -> None:
        context = self._context
        if context.budget.agent_seconds <= 0 or context.stop.reason is not None:
            raise Failure("agent_time_over", "the time of the agent is over")
        limits.check_cost(self._choice, context.meter.total)
        if self._left <= 0:
            most = REQUESTS_PER_TURN * self._choice.max_turns
            raise Failure("max_turns", f"the agent was not done after {most} requests to its model")
