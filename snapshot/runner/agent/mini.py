"""The engine `mini`: mini-swe-agent's loop, whose turns are reported and limited."""

from collections.abc import Sequence
from pathlib import Path
from typing import Final, cast

from minisweagent import Model
from minisweagent.agents.default import DefaultAgent

from ..configuration import AgentChoice
from ..failure import Failure
from . import limits
from .chat import Message
from .engine import AgentResult, EngineContext
from .mini_environment import DONE, MiniEnvironment
from .mini_model import MiniModel
from .repetition import Repetition

SYSTEM: Final = "You are a careful software engineer who works in a shell on a git checkout."
TASK: Final = f"""\
{{{{task}}}}

# How you work
The repository's checkout is your working directory. Do the task above by editing its files with
bash commands.
- Look before you change: find and read the files that matter.
- Change what the task needs and nothing else. Add or adapt tests where the project has tests.
- Every command runs in a new shell in the checkout: directory and variables do not last, and
  background processes end with the command that started them.
- You get a command's output, after `exit code N` if it failed.
- Do not commit or push: your changes are taken from the files. Leave no scratch files behind.
- Every answer calls the tool `bash` at least once.
- When everything is done, run exactly `echo {DONE}` followed, on further lines of the same echo,
  by a summary of a few sentences for the reviewer. Nothing can be done after it.
"""
UNUSABLE: Final = "RepeatedFormatError"
"""mini-swe-agent's own end, after three answers without a usable call."""


class WatchedAgent(DefaultAgent):
    """The loop; each turn is reported, and limits and loops end it with a `Failure`."""

    def __init__(
        self,
        model: MiniModel,
        environment: MiniEnvironment,
        context: EngineContext,
        choice: AgentChoice,
        checkout: Path,
        *,
        earlier: Sequence[list[Message]],
    ) -> None:
        super().__init__(
            # Its protocol says dict[str, str] and then passes more.
            cast("Model", model),
            environment,
            system_template=SYSTEM,
            instance_template=TASK,
            # Its own limits know nothing of what was spent before.
            cost_limit=0,
            output_path=context.trajectory,
        )
        self._context = context
        self._choice = choice
        self._repetition = Repetition(checkout)
        self._model = model
        self._earlier = earlier

    def serialize(self, *more: Message) -> Message:
        """The record of this conversation, and of those before a repair."""
        recorded: Message = super().serialize({"earlier": self._earlier}, *more)
        return recorded

    def query(self) -> Message:
        """One turn of the model."""
        self._check_limits()
        turn = self._choice.spent_turns + self._context.meter.total.turns + 1
        self._context.on_turn(turn)
        message: Message = super().query()
        self._context.log.write(f"\n{message.get('content') or ''}\n")
        return message

    def execute_actions(self, message: Message) -> list[Message]:
        """Run the model's commands; end if all this was done before."""
        extra = message["extra"]
        actions = extra["actions"] if isinstance(extra, dict) else []
        observed: list[Message] = super().execute_actions(message)
        commands = [str(action["command"]) for action in actions]
        if self._repetition.is_stuck(commands, [str(each["content"]) for each in observed]):
            why = "the agent repeated the same steps and changed nothing"
            raise Failure("agent_stuck", why, retryable=True)
        return observed

    def _check_limits(self) -> None:
        limits.check(self._choice, self._context.meter.total)
        limits.check_bound(self._choice, is_priced=self._model.is_priced)
        if self._context.budget.agent_seconds <= 0:
            raise Failure("agent_time_over", "the agent's time was over")


class MiniEngine:
    def __init__(self, choice: AgentChoice, model: MiniModel, context: EngineContext) -> None:
        self._choice = choice
        self._model = model
        self._context = context
        self._conversations: list[list[Message]] = []

    def work(self, prompt: str, checkout: Path) -> AgentResult:
        """Run the loop to its end, in a new conversation."""
        environment = MiniEnvironment(checkout, self._context)
        agent = WatchedAgent(
            *(self._model, environment, self._context, self._choice, checkout),
            earlier=tuple(self._conversations),
        )
        summary, failure = "", None
        try:
            end = agent.run(prompt)
            summary = str(end.get("submission", ""))
            failure = _failure(str(end.get("exit_status", "")))
        except Failure as raised:
            failure = raised
        self._conversations.append(agent.messages)
        return AgentResult(summary=summary, failure=failure, warnings=self._warnings())

    def _warnings(self) -> tuple[str, ...]:
        if self._model.is_priced:
            return ()
        return (limits.UNPRICED,)


def _failure(status: str) -> Failure | None:
    if status == "Submitted":
        return None
    if status == UNUSABLE:
        message = "the model's answers were unusable three times in a row"
        return Failure("model_garbage", message, retryable=True)
    return Failure("agent_failed", f"the agent ended with {status or 'no status'}")
