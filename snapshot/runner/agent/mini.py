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
from .history import PROMPT
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
TAKEN: Final = "[your work was taken, and validated]"
"""The result of the calls that ended it."""
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
        self._checkout = checkout
        self._repetition = Repetition(checkout)
        self._model = model
        self._before: list[Message] = []

    def run(self, task: str = "", **variables: object) -> Message:
        """Run the loop to its end; a second call goes on with the conversation of the first."""
        self._before = answered(self.messages)
        self._repetition = Repetition(self._checkout)
        self.n_consecutive_format_errors = 0
        end: Message = super().run(task, **variables)
        return end

    def add_messages(self, *messages: Message) -> list[Message]:
        """Take messages; the two that a run begins with are one in a conversation that goes on."""
        if self._before:
            prompt = str(self.extra_template_vars["task"])
            messages = (*self._before, {"role": "user", "content": prompt, "extra": {PROMPT: True}})
            self._before = []
        added: list[Message] = super().add_messages(*messages)
        return added

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
        self._agent: WatchedAgent | None = None

    def work(self, prompt: str, checkout: Path) -> AgentResult:
        """Run the loop to its end; a second call goes on with the conversation of the first."""
        if self._agent is None:
            environment = MiniEnvironment(checkout, self._context)
            self._agent = WatchedAgent(
                self._model, environment, self._context, self._choice, checkout
            )
        summary, failure = "", None
        try:
            end = self._agent.run(prompt)
            summary = str(end.get("submission", ""))
            failure = _failure(str(end.get("exit_status", "")))
        except Failure as raised:
            failure = raised
        return AgentResult(summary=summary, failure=failure, warnings=self._warnings())

    def _warnings(self) -> tuple[str, ...]:
        if self._model.is_priced:
            return ()
        return (limits.UNPRICED,)


def answered(messages: Sequence[Message]) -> list[Message]:
    """A conversation that has ended, as it goes on: its last calls have results."""
    kept = [message for message in messages if message["role"] != "exit"]
    extra = kept[-1].get("extra") if kept else None
    actions = extra.get("actions", ()) if isinstance(extra, dict) else ()
    results: list[Message] = [
        {"role": "tool", "tool_call_id": action["tool_call_id"], "content": TAKEN}
        for action in actions
    ]
    return [*kept, *results]


def _failure(status: str) -> Failure | None:
    if status == "Submitted":
        return None
    if status == UNUSABLE:
        message = "the model's answers were unusable three times in a row"
        return Failure("model_garbage", message, retryable=True)
    return Failure("agent_failed", f"the agent ended with {status or 'no status'}")
