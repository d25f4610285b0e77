"""The engine `mini`: mini-swe-agent's loop, whose turns are reported and limited."""

from collections import deque
from pathlib import Path
from typing import Final, cast

from minisweagent import Model
from minisweagent.agents.default import DefaultAgent
from minisweagent.exceptions import InterruptAgentFlow

from ..configuration import AgentChoice
from ..failure import Failure
from .chat import Message
from .engine import AgentResult, EngineContext
from .mini_environment import DONE, MiniEnvironment
from .mini_model import MiniModel

IDENTICAL_STEPS: Final = 4
STUCK: Final = "Stuck"
ENDS: Final = {
    STUCK: Failure(
        "agent_stuck",
        f"the agent took the same step {IDENTICAL_STEPS} times in a row",
        retryable=True,
    ),
    "TimeExceeded": Failure("agent_time_over", "the agent's time was over"),
    "RepeatedFormatError": Failure(
        "model_garbage", "the model's answers were unusable three times in a row", retryable=True
    ),
}
"""Exit status of a loop that gave up → failure."""
SYSTEM: Final = "You are a careful software engineer who works in a shell on a git checkout."
TASK: Final = f"""\
{{{{task}}}}

The checkout of the repository is your working directory. Solve the task above by editing files in
it with bash commands.

- Look before you change: find and read the files that matter, and AGENTS.md or CONTRIBUTING.md if
  they are there.
- Change what the task needs and nothing else. Add or adapt tests where the project has tests.
- Run the project's tests before you end. Leave no scratch files behind.
- Every command runs in a new shell in the checkout: directory and variables do not last, and
  background processes end with the command that started them.
- Do not commit or push: your changes are taken from the files.
- Every answer calls the tool `bash` at least once.
- When everything is done, run exactly `echo {DONE}` followed, on further lines of the same echo,
  by a summary of a few sentences for the reviewer. Nothing can be done after it.
"""


class WatchedAgent(DefaultAgent):
    """The loop; each turn is reported, and one that only repeats itself ends."""

    def __init__(
        self,
        model: MiniModel,
        environment: MiniEnvironment,
        context: EngineContext,
        *,
        max_turns: int,
        max_cost_usd: float,
    ) -> None:
        super().__init__(
            # Its protocol says dict[str, str] and then passes more.
            cast("Model", model),
            environment,
            system_template=SYSTEM,
            instance_template=TASK,
            step_limit=max_turns,
            cost_limit=max_cost_usd,
            wall_time_limit_seconds=max(1, int(context.budget.agent_seconds)),
            output_path=context.trajectory,
        )
        self._context = context
        self._recent: deque[tuple[str, ...]] = deque(maxlen=IDENTICAL_STEPS)

    def query(self) -> Message:
        """One turn of the model."""
        self._context.on_turn(self.n_calls + 1)
        message: Message = super().query()
        self._context.log.write(f"\n{message['content']}\n")
        return message

    def execute_actions(self, message: Message) -> list[Message]:
        """Run the model's commands, unless they are the same again and again."""
        extra = message["extra"]
        actions = extra["actions"] if isinstance(extra, dict) else []
        self._recent.append(tuple(action["command"] for action in actions))
        if len(self._recent) == IDENTICAL_STEPS and len(set(self._recent)) == 1:
            end = {"exit_status": STUCK, "submission": ""}
            raise InterruptAgentFlow({"role": "exit", "content": STUCK, "extra": end})
        observed: list[Message] = super().execute_actions(message)
        return observed


class MiniEngine:
    def __init__(self, choice: AgentChoice, model: MiniModel, context: EngineContext) -> None:
        self._model = model
        self._context = context
        # An earlier start of this attempt has spent its part; 0 would mean "no limit" to the loop.
        spent = context.meter.total
        self._max_turns = max(1, choice.max_turns - spent.turns)
        self._dollars_left = max(0.0001, choice.max_cost_usd - spent.cost_usd)
        self._max_cost_usd = choice.max_cost_usd

    def work(self, prompt: str, checkout: Path) -> AgentResult:
        """Run the loop to its end."""
        agent = WatchedAgent(
            self._model,
            MiniEnvironment(checkout, self._context),
            self._context,
            max_turns=self._max_turns,
            max_cost_usd=self._dollars_left,
        )
        try:
            end = agent.run(prompt)
        except Failure as failure:
            return AgentResult(summary="", failure=failure)
        status, summary = str(end.get("exit_status", "")), str(end.get("submission", ""))
        return AgentResult(summary=summary, failure=self._failure(agent, status))

    def _failure(self, agent: WatchedAgent, status: str) -> Failure | None:
        if status == "Submitted":
            return None
        if status == "LimitsExceeded" and agent.n_calls >= self._max_turns:
            return Failure("max_turns", f"the agent was not done after {agent.n_calls} turns")
        if status == "LimitsExceeded":
            return Failure("max_cost", f"the agent was not done at {self._max_cost_usd:g} USD")
        unknown = Failure("agent_failed", f"the agent ended with {status or 'no status'}")
        return ENDS.get(status, unknown)
