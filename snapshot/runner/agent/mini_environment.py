"""The environment side of mini-swe-agent: its bash commands, run with nothing of ours.

Its own `LocalEnvironment` hands os.environ to every command.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Final

from minisweagent.exceptions import Submitted

from ..budget import Budget
from ..reporting.log import Log
from .chat import Message
from .command import CommandResult, Runner

COMMAND_SECONDS: Final = 600.0
SHOWN_CHARACTERS: Final = 10_000
DONE: Final = "COMPLETE_TASK_AND_SUBMIT_FINAL_OUTPUT"


class MiniEnvironment:
    """What `minisweagent.Environment` asks for, in one checkout."""

    def __init__(
        self,
        *,
        runner: Runner,
        checkout: Path,
        environ: Mapping[str, str],
        budget: Budget,
        log: Log,
    ) -> None:
        self.config: dict[str, object] = {}
        self._runner = runner
        self._checkout = checkout
        self._environ = environ
        self._budget = budget
        self._log = log

    def execute(self, action: Mapping[str, str], _cwd: str = "") -> Message:
        """Run one bash command in the checkout.

        Raises:
            Submitted: the command was the one that ends the task.
            Stopped: the attempt was stopped; the command is dead.
        """
        command = action["command"].encode(errors="replace").decode()
        self._log.write(f"$ {command}\n")
        if "\0" in command:
            return _observation(-1, "the command holds a NUL character")
        try:
            finished = self._run(command)
        except OSError as exc:
            return _observation(-1, f"the checkout cannot be entered: {exc.strerror}")
        output = _shown(finished)
        self._log.write(f"{output}[exit code {finished.exit_code}]\n")
        if finished.exit_code == 0 and output.lstrip().startswith(DONE):
            submission = output.lstrip().removeprefix(DONE).strip()
            raise Submitted(_exit(submission))
        return _observation(finished.exit_code, output)

    def get_template_vars(self, **_: object) -> Message:
        """Nothing of the environment stands in a template."""
        return {}

    def serialize(self) -> Message:
        """For the trajectory."""
        return {"info": {"config": {"environment": str(self._checkout)}}}

    def _run(self, command: str) -> CommandResult:
        return self._runner.run(
            ["bash", "-c", command],
            directory=self._checkout,
            environ=self._environ,
            seconds=min(COMMAND_SECONDS, self._budget.agent_seconds),
        )


def _shown(finished: CommandResult) -> str:
    text = finished.output
    if len(text) > SHOWN_CHARACTERS:
        half = SHOWN_CHARACTERS // 2
        excluded = len(text) - SHOWN_CHARACTERS
        text = f"{text[:half]}\n[... at least {excluded} characters left out ...]\n{text[-half:]}"
    if text and not text.endswith("\n"):
        text += "\n"
    if finished.is_timed_out:
        text += f"[stopped after {finished.seconds:.0f} s]\n"
    return text


def _observation(returncode: int, output: str) -> Message:
    return {"returncode": returncode, "output": output, "exception_info": ""}


def _exit(submission: str) -> Message:
    extra = {"exit_status": "Submitted", "submission": submission}
    return {"role": "exit", "content": submission, "extra": extra}
