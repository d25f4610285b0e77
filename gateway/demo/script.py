"""The scripts of the fake model: its turns, and the choice between them."""

from collections.abc import Sequence
from typing import Final

import msgspec

from gateway.demo.sample import MENDED, MODULE

BUG: Final = "return sum(prices) - discount_percent"


class Turn(msgspec.Struct, frozen=True, kw_only=True):
    """One answer: a sentence, and the one command it asks for."""

    thought: str
    command: str


Script = tuple[Turn, ...]

LOOK: Final = Turn(
    thought="I look at what is here.",
    command=f"ls; if [ -f {MODULE} ]; then cat {MODULE}; fi",
)
SUBMIT: Final = Turn(
    thought="The work is done.",
    command="echo COMPLETE_TASK_AND_SUBMIT_FINAL_OUTPUT",
)


def _submit(summary: str) -> Turn:
    """The last turn, with the text of the pull request."""
    return msgspec.structs.replace(SUBMIT, command=f"{SUBMIT.command}; echo '{summary}'")


MEND_SAMPLE: Final[Script] = (
    LOOK,
    Turn(thought="I let the tests say what is wrong.", command="make test"),
    Turn(
        thought="The discount is subtracted as cents. It is a share of the sum: I mend it.",
        command=f"cat > {MODULE} <<'END'\n{MENDED}END",
    ),
    Turn(thought="I run the tests again.", command="make test"),
    _submit("The discount was subtracted as cents. It is a share of the sum now."),
)
ADD_FILE: Final[Script] = (
    LOOK,
    Turn(
        thought="This repository is not my sample. I follow my script and add a file.",
        command="echo 'Added by the scripted model of the slipgate demo.' >> slipgate-demo.md",
    ),
    Turn(thought="I look at what changed.", command="git status --short"),
    _submit("Added slipgate-demo.md, as the script of the demo says."),
)


def choose(observations: Sequence[str]) -> Script:
    """The script for these outputs of commands."""
    return MEND_SAMPLE if any(BUG in shown for shown in observations) else ADD_FILE


def turn(script: Script, number: int) -> Turn:
    """The turn of a number, from 0; past the end the work is submitted again."""
    return script[number] if number < len(script) else SUBMIT
