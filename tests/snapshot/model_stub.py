"""A model behind OpenAI's protocol that says what a script tells it to."""

import json
from collections.abc import Callable
from dataclasses import dataclass, field

from tests.snapshot.http_stub import HttpStub, Request, Response

DONE = "echo COMPLETE_TASK_AND_SUBMIT_FINAL_OUTPUT; echo 'Fixed it.'"


@dataclass
class ModelStub:
    """Answers turn n with the nth command; the last one is repeated."""

    commands: list[str] = field(default_factory=list)
    requests: list[Request] = field(default_factory=list)
    answer: Callable[[int], Response] | None = None
    """Answers turn n in place of the commands."""

    def __post_init__(self) -> None:
        self.http = HttpStub(self._answer)

    @property
    def base_url(self) -> str:
        """The value of OPENAI_BASE_URL in a sandbox."""
        return f"{self.http.url}/v1"

    @property
    def observations(self) -> list[str]:
        """The last answer of the tool that the model got."""
        messages = self.requests[-1].json()["messages"]
        assert isinstance(messages, list)
        return [str(message["content"]) for message in messages if message["role"] == "tool"]

    def _answer(self, request: Request) -> Response:
        turn = len(self.requests)
        self.requests.append(request)
        if self.answer is not None:
            return self.answer(turn)
        return tool_call(self.commands[min(turn, len(self.commands) - 1)])


def tool_call(command: str) -> Response:
    """The model runs a command."""
    function = {"name": "bash", "arguments": json.dumps({"command": command})}
    call = {"id": "call_1", "type": "function", "function": function}
    return completion({"role": "assistant", "content": "Next step.", "tool_calls": [call]})


def chatter(text: str) -> Response:
    """The model talks and calls nothing."""
    return completion({"role": "assistant", "content": text})


def completion(message: object) -> Response:
    """An answer of this message, whatever it is."""
    return Response(
        content={
            "id": "chatcmpl-1",
            "object": "chat.completion",
            "created": 1,
            "model": "gpt-5",
            "choices": [{"index": 0, "message": message, "finish_reason": "stop"}],
            "usage": {"prompt_tokens": 1000, "completion_tokens": 10, "total_tokens": 1010},
        }
    )
