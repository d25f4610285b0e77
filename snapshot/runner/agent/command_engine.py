"""The engine `command`: any agent with a command line, run in the checkout.

It gets the prompt on standard input, whole, and in AGENT_PROMPT (cut at 96 KiB: Linux takes no
longer variable). Its environment has the chosen provider's model key, which such an agent needs:
the one exception to the rule that commands see no secret. The GitHub token is never there.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from ..budget import Budget
from ..configuration import ModelAccess
from ..failure import Failure
from ..reporting.log import Log
from ..truncation import last_of
from .command import NOT_FOUND, CommandResult, Runner
from .report import AgentResult

PROMPT_BYTES: Final = 96 * 1024
SUMMARY_CHARACTERS: Final = 4_000


@dataclass(frozen=True, kw_only=True, slots=True)
class CommandEngine:
    """Runs the given argument list once."""

    argv: Sequence[str]
    runner: Runner
    environ: Mapping[str, str]
    model: ModelAccess | None
    budget: Budget
    log: Log

    def work(self, prompt: str, checkout: Path) -> AgentResult:
        """Run the command; its exit code 0 says that it is done."""
        finished = self.runner.run(
            self.argv,
            directory=checkout,
            environ={**self.environ, **self._model_variables(), "AGENT_PROMPT": _cut(prompt)},
            seconds=self.budget.agent_seconds,
            stdin=prompt.encode(),
            on_output=self.log.feed,
        )
        self.log.flush()
        summary = last_of(finished.output, SUMMARY_CHARACTERS).strip()
        return AgentResult(summary=summary, failure=_failure(self.argv[0], finished))

    def _model_variables(self) -> dict[str, str]:
        if self.model is None:
            return {}
        prefix = self.model.provider.upper()
        given = {
            "MODEL_PROVIDER": self.model.provider,
            "MODEL": self.model.name,
            f"{prefix}_API_KEY": self.model.key.value if self.model.key else "",
            f"{prefix}_BASE_URL": self.model.base_url or "",
        }
        return {name: value for name, value in given.items() if value}


def _cut(prompt: str) -> str:
    return prompt.encode()[:PROMPT_BYTES].decode(errors="ignore")


def _failure(program: str, finished: CommandResult) -> Failure | None:
    if finished.is_timed_out:
        message = f"the agent was stopped after {finished.seconds:.0f} s"
        return Failure("agent_time_over", message)
    if finished.exit_code == NOT_FOUND:
        return Failure("agent_not_found", f"the agent's command {program!r} is not installed")
    if finished.exit_code:
        return Failure("agent_failed", f"the agent ended with exit code {finished.exit_code}")
    return None
