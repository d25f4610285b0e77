"""A model as the agent's loop sees it: messages in, words and calls of the one tool out."""

from dataclasses import dataclass
from typing import Final, Protocol

from ..meter import Tokens

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
RETRIES: Final = 5
"""Of rate limits, overload and the network; the SDK waits as the server asks."""
LARGEST_ANSWER_TOKENS: Final = 16_000


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
            Trouble: a `model_…` code.
        """
