"""The engine `command`: any agent with a command line, run in the checkout.

It gets the prompt on standard input, whole, and in AGENT_PROMPT (cut at 96 KiB: Linux takes no
longer variable). It needs the model key of the chosen provider, and gets it: the one exception to
the rule that commands see no secret. The GitHub token is never there.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import Final

from ..configuration import PROVIDERS, ModelAccess
from ..failure import Failure
from ..truncation import last_of
from .command import CommandResult
from .engine import AgentResult, EngineContext
from .reaper import NOT_FOUND

PROMPT_BYTES: Final = 96 * 1024
SUMMARY_CHARACTERS: Final = 4_000


class CommandEngine:
    def __init__(
        self, argv: Sequence[str], model: ModelAccess | None, context: EngineContext
    ) -> None:
        self._argv = argv
        self._model = model
        self._context = context

    def work(self, prompt: str, checkout: Path) -> AgentResult:
        """Run the command once; its exit code 0 means that it is done."""
        context = self._context
        cut_prompt = prompt.encode()[:PROMPT_BYTES].decode(errors="ignore")
        result = context.runner.run(
            self._argv,
            directory=checkout,
            environ={**context.environ, **self._model_variables(), "AGENT_PROMPT": cut_prompt},
            seconds=context.budget.agent_seconds,
            stdin=prompt.encode(),
            on_output=context.log.feed,
        )
        context.log.flush()
        summary = last_of(result.output, SUMMARY_CHARACTERS).strip()
        return AgentResult(summary=summary, failure=_failure(self._argv[0], result))

    def _model_variables(self) -> dict[str, str]:
        if self._model is None:
            return {}
        prefix = PROVIDERS[self._model.provider]
        given = {
            "MODEL_PROVIDER": self._model.provider,
            "MODEL": self._model.name,
            f"{prefix}_API_KEY": self._model.secret_key.value,
            f"{prefix}_BASE_URL": self._model.base_url or "",
        }
        return {name: value for name, value in given.items() if value}


def _failure(program: str, result: CommandResult) -> Failure | None:
    if result.is_timed_out:
        message = f"the agent was stopped after {result.seconds:.0f} s"
        return Failure("agent_time_over", message)
    if result.exit_code == NOT_FOUND:
        return Failure("agent_not_found", f"the agent's command {program!r} is not installed")
    if result.exit_code:
        return Failure("agent_failed", f"the agent ended with exit code {result.exit_code}")
    return None
