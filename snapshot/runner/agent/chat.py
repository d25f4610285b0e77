"""The model as the agent's loop sees it: messages in, text and calls of the one tool out."""

import json
from typing import Final, Protocol

import msgspec

from .usage import Tokens

Message = dict[str, object]
"""One message in the form of OpenAI's chat completions, which mini-swe-agent keeps too.

A message of the model is the one that its client returned, with everything that the provider wants
back at the next turn; only that client reads those parts.
"""
TOOL: Final = "bash"
TOOL_DESCRIPTION: Final = "Execute a bash command"
TOOL_PARAMETERS: Final[dict[str, object]] = {
    "type": "object",
    "properties": {"command": {"type": "string", "description": "The bash command to execute"}},
    "required": ["command"],
}
CONNECT_SECONDS: Final = 20.0
TOKEN_SECONDS: Final = 300.0
"""Without a token: some servers send an answer whole, when it is done, and hide its reasoning."""
SILENT_SECONDS: Final = 120.0
"""Without a byte of a stream that has begun: while a model thinks, servers send signs of life."""
CALL_SECONDS: Final = 900.0
"""Of one call: a server that drips bytes is never silent."""
STREAM_SIGNS: Final = (r"\bstream(?:ing|ed)?\b",)
"""Words of a refusal to stream; not those of an upstream, or of `stream_options`."""
LARGEST_ANSWER_TOKENS: Final = 32_000
LARGEST_ANSWER_CHARACTERS: Final = 8 * 1024**2


class Call(msgspec.Struct, frozen=True, kw_only=True):
    id: str
    name: str
    arguments: str
    """JSON as the model wrote it, perhaps garbage."""


class Reply(msgspec.Struct, frozen=True, kw_only=True):
    message: Message
    """Goes back whole at the next turn."""
    text: str
    calls: tuple[Call, ...]
    tokens: Tokens
    is_cut: bool
    """It ended at the limit of an answer's length."""


class Chat(Protocol):
    def complete(self, messages: list[Message]) -> Reply:
        """Ask the model once; raises `ModelFailure` with a `model_…` code."""


def plain(value: object) -> str:
    """A text that can be sent on: a lone surrogate of a model is no UTF-8."""
    text = value if isinstance(value, str) else ""
    # The two halves of one character may come in two pieces of a stream.
    return text.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace")


def sendable(value: object) -> object:
    """A JSON document in which every text can be sent on."""
    if isinstance(value, dict):
        return {plain(name): sendable(item) for name, item in value.items()}
    if isinstance(value, list):
        return [sendable(item) for item in value]
    return plain(value) if isinstance(value, str) else value


def arguments(value: object) -> str:
    """The arguments of a call as JSON, also where a server sends the document and not its text."""
    return plain(value if isinstance(value, str) else json.dumps(value))


def mapping(value: object) -> dict[str, object]:
    """A JSON object; an empty one for anything else."""
    return value if isinstance(value, dict) else {}


def items(value: object) -> list[dict[str, object]]:
    """The objects of a JSON array."""
    return [item for item in value if isinstance(item, dict)] if isinstance(value, list) else []
