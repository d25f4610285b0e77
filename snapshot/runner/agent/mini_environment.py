"""The environment of mini-swe-agent: its bash commands, run without anything of ours.

Its own `LocalEnvironment` passes os.environ to every command.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Final

from minisweagent.exceptions import Submitted

from .chat import Message
from .command import CommandResult
from .engine import EngineContext

COMMAND_SECONDS: Final = 600.0
SHOWN_CHARACTERS: Final = 10_000
DONE: Final = "COMPLETE_TASK_AND_SUBMIT_FINAL_OUTPUT"


class MiniEnvironment:
    """Implements `minisweagent.Environment` for one checkout."""

    def __init__(self, checkout: Path, context: EngineContext) -> None:
        self.config: dict[str, object] = {}
        self._checkout = checkout
        self._context = context

    def execute(self, action: Mapping[str, str], _cwd: str = "") -> Message:
        """Run one bash command in the checkout.

        Raises:
            Submitted: the command was the one that ends the task.
            Stopped: the attempt was stopped; the command is dead.
        """
        command = action["command"].encode(errors="replace").decode()
        self._context.log.write(f"$ {command}\n")
        if "\0" in command:
            return _observation(-1, "the command holds a NUL character")
        try:
            result = self._context.runner.run(
                ["bash", "-c", command],
                directory=self._checkout,
                environ=self._context.environ,
                seconds=min(COMMAND_SECONDS, self._context.budget.agent_seconds),
            )
        except OSError as exc:
            return _observation(-1, f"the checkout cannot be entered: {exc.strerror}")
        output = _shown(result)
        self._context.log.write(f"{output}[exit code {result.exit_code}]\n")
        if result.exit_code == 0 and output.lstrip().startswith(DONE):
            submission = output.lstrip().removeprefix(DONE).strip()
            extra = {"exit_status": "Submitted", "submission": submission}
            raise Submitted({"role": "exit", "content": submission, "extra": extra})
        return _observation(result.exit_code, output)

    def get_template_vars(self, **_: object) -> Message:
        return {}

    def serialize(self) -> Message:
        return {"info": {"config": {"environment": str(self._checkout)}}}


def _shown(result: CommandResult) -> str:
    text = result.output
    if len(text) > SHOWN_CHARACTERS:
        half = SHOWN_CHARACTERS // 2
        omitted = len(text) - SHOWN_CHARACTERS
        text = f"{text[:half]}\n[... at least {omitted} characters left out ...]\n{text[-half:]}"
    if text and not text.endswith("\n"):
        text += "\n"
    if result.is_timed_out:
        text += f"[stopped after {result.seconds:.0f} s]\n"
    return text


def _observation(returncode: int, output: str) -> Message:
    return {"returncode": returncode, "output": output, "exception_info": ""}
