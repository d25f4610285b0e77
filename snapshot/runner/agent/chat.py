"""A model as the agent's loop sees it: messages in, words and calls of the one tool out."""

import json
from dataclasses import dataclass
from typing import Final, Protocol

from .meter import Tokens

Message = dict[str, object]
"""One message in the form of OpenAI's chat completions, which mini-swe-agent keeps too."""
TOOL: Final = "bash"
TOOL_DESCRIPTION: Final = "Execute a bash command"
TOOL_PARAMETERS: Final[dict[str, object]] = {
    "type": "object",
    "properties": {
        "command": {"type": "string", "description": "The bash command to execute"},
    },
    "required": ["command"],
}
TIMEOUT_SECONDS: Final = 300.0
"""Of silence, for one try."""
CALL_SECONDS: Final = 900.0
"""Of one call with all its tries: a server that drips bytes is never silent."""
RETRIES: Final = 5
"""Of rate limits, overload and the network; the SDK waits as the server asks."""
LARGEST_ANSWER_TOKENS: Final = 16_000
LARGEST_COUNT: Final = 10**9
"""No model takes as many tokens in one call: a larger number is none."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Call:
    """The model wants the tool; `arguments` is JSON as the model wrote it, maybe garbage."""

    id: str
    name: str
    arguments: str


@dataclass(frozen=True, kw_only=True, slots=True)
class Reply:
    """One answer of the model."""

    text: str
    calls: tuple[Call, ...]
    tokens: Tokens
    is_cut: bool
    """It ended at the limit of an answer's length."""


class Chat(Protocol):
    """One provider's client."""

    def complete(self, messages: list[Message]) -> Reply:
        """Ask once.

        Raises:
            Failure: a `model_…` code.
        """


def plain(value: object) -> str:
    """A text as it may be sent on: what a model sends as a lone surrogate is no UTF-8."""
    text = value if isinstance(value, str) else ""
    return text.encode(errors="replace").decode()


def arguments(value: object) -> str:
    """The arguments of a call as JSON, also where a server sends the document and not its text."""
    return plain(value if isinstance(value, str) else json.dumps(value))


def count(value: object) -> int:
    """A number of tokens; what is no such number counts as none."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        return 0
    return int(value) if 0 <= value <= LARGEST_COUNT else 0
