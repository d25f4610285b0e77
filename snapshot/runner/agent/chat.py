"""The model as the agent's loop sees it: messages in, text and calls of the one tool out."""

import json
from typing import Final, Protocol

import msgspec

from ..failure import Failure
from .usage import Tokens

Message = dict[str, object]
"""One message in the form of OpenAI's chat completions, which mini-swe-agent keeps too."""
TOOL: Final = "bash"
TOOL_DESCRIPTION: Final = "Execute a bash command"
TOOL_PARAMETERS: Final[dict[str, object]] = {
    "type": "object",
    "properties": {"command": {"type": "string", "description": "The bash command to execute"}},
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
"""No model takes as many tokens in one call."""
_TOO_LONG: Final = ("context_length", "context length", "prompt is too long", "maximum context")
_BY_STATUS: Final = {
    401: ("model_auth", False),
    402: ("model_quota", False),
    403: ("model_auth", False),
    404: ("model_not_found", False),
    429: ("model_rate_limited", True),
}


class Call(msgspec.Struct, frozen=True, kw_only=True):
    id: str
    name: str
    arguments: str
    """JSON as the model wrote it, perhaps garbage."""


class Reply(msgspec.Struct, frozen=True, kw_only=True):
    text: str
    calls: tuple[Call, ...]
    tokens: Tokens
    is_cut: bool
    """It ended at the limit of an answer's length."""


class Chat(Protocol):
    def complete(self, messages: list[Message]) -> Reply:
        """Ask the model once; raises `Failure` with a `model_…` code."""


def plain(value: object) -> str:
    """A text that can be sent on: a lone surrogate of a model is no UTF-8."""
    text = value if isinstance(value, str) else ""
    return text.encode(errors="replace").decode()


def arguments(value: object) -> str:
    """The arguments of a call as JSON, also where a server sends the document and not its text."""
    return plain(value if isinstance(value, str) else json.dumps(value))


def count(value: object) -> int:
    """A number of tokens; 0 for anything else."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        return 0
    return int(value) if 0 <= value <= LARGEST_COUNT else 0


def refused(status: int, message: str) -> Failure:
    """The failure of an error answer that the SDK gave up on."""
    code, is_passing = _meaning(status, message.lower())
    return Failure(code, f"the model's provider answered {status}: {message}", retryable=is_passing)


def unreachable(message: str) -> Failure:
    return Failure(
        "model_unreachable", f"the model's provider cannot be reached: {message}", retryable=True
    )


def garbage(message: str) -> Failure:
    """The failure of an answer that breaks the protocol."""
    return Failure("model_garbage", f"the model's answer is unusable: {message}", retryable=True)


def _meaning(status: int, message: str) -> tuple[str, bool]:
    """The code, and True if another try may succeed."""
    if status == 429 and "insufficient_quota" in message:
        return "model_quota", False
    if any(sign in message for sign in _TOO_LONG):
        return "model_context_exceeded", False
    if status >= 500:
        return "model_unavailable", True
    return _BY_STATUS.get(status, ("model_refused_request", False))
