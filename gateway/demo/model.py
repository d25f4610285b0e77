"""A fake of a model server: OpenAI's chat completions with tool calls, from a script.

Source: platform.openai.com/docs/api-reference/chat. It keeps no state: the number of answers in the
conversation chooses the next turn, so an agent that starts again starts the script again.
`system_fingerprint` and every sentence say that it is scripted.
"""

from collections.abc import Awaitable, Callable, Sequence
from hmac import compare_digest
from typing import Annotated, Any, Final

import msgspec
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from gateway.demo.script import Script, Turn, choose, turn

SCRIPTED: Final = "slipgate-scripted"
CHARACTERS_PER_TOKEN: Final = 4


class Part(msgspec.Struct, frozen=True, kw_only=True):
    """A piece of a message's content."""

    type: str
    text: str = ""


class Message(msgspec.Struct, frozen=True, kw_only=True):
    """A message of the conversation."""

    role: str
    content: str | list[Part] | None = None

    @property
    def text(self) -> str:
        if isinstance(self.content, list):
            return "".join(part.text for part in self.content)
        return self.content or ""


class Function(msgspec.Struct, frozen=True, kw_only=True):
    """The name of a tool; its other fields are for real models."""

    name: str


class Tool(msgspec.Struct, frozen=True, kw_only=True):
    """A tool that the model may call."""

    function: Function


class ChatRequest(msgspec.Struct, frozen=True, kw_only=True):
    """`POST /v1/chat/completions`."""

    model: Annotated[str, msgspec.Meta(min_length=1)]
    messages: Annotated[list[Message], msgspec.Meta(min_length=1)]
    tools: list[Tool] = []
    stream: bool | None = None


async def _no_pause() -> None:
    """Answers at once."""


class ScriptedModel:
    """The server. `pause` is awaited before each answer; `choose` picks the script."""

    def __init__(
        self,
        *,
        key: str,
        choose: Callable[[Sequence[str]], Script] = choose,
        pause: Callable[[], Awaitable[None]] = _no_pause,
        now: Callable[[], float],
    ) -> None:
        self._key = key
        self._choose = choose
        self._pause = pause
        self._now = now
        self.answered = 0
        """The number of answers so far."""
        self.app = Starlette(
            routes=[
                Route("/v1/chat/completions", self._complete, methods=["POST"]),
                Route("/v1/models", self._models, methods=["GET"]),
            ],
            exception_handlers={HTTPException: _fail},
        )

    async def _complete(self, request: Request) -> Response:
        self._check_key(request)
        asked = _chat_request(await request.body())
        await self._pause()
        self.answered += 1
        completion = self._completion(asked)
        return _streamed(completion) if asked.stream else _json(completion)

    async def _models(self, request: Request) -> Response:
        self._check_key(request)
        model = {"id": SCRIPTED, "object": "model", "created": 0, "owned_by": "slipgate"}
        return _json({"object": "list", "data": [model]})

    def _check_key(self, request: Request) -> None:
        given = request.headers.get("authorization", "").removeprefix("Bearer ")
        if not compare_digest(given.encode(), self._key.encode()):
            raise HTTPException(401, "Incorrect API key provided.")

    def _completion(self, asked: ChatRequest) -> dict[str, Any]:
        shown = [message.text for message in asked.messages if message.role == "tool"]
        number = sum(message.role == "assistant" for message in asked.messages)
        answer = _answer(turn(self._choose(shown), number), number)
        read = sum(len(message.text) for message in asked.messages) // CHARACTERS_PER_TOKEN
        written = len(msgspec.json.encode(answer)) // CHARACTERS_PER_TOKEN
        return {
            "id": f"chatcmpl-scripted-{self.answered}",
            "object": "chat.completion",
            "created": int(self._now()),
            "model": asked.model,
            "system_fingerprint": SCRIPTED,
            "choices": [
                {"index": 0, "message": answer, "finish_reason": "tool_calls", "logprobs": None}
            ],
            "usage": {
                "prompt_tokens": read,
                "completion_tokens": written,
                "total_tokens": read + written,
            },
        }


def _answer(turn: Turn, number: int) -> dict[str, object]:
    arguments = msgspec.json.encode({"command": turn.command}).decode()
    call = {
        "id": f"call_scripted_{number}",
        "type": "function",
        "function": {"name": "bash", "arguments": arguments},
    }
    return {"role": "assistant", "content": f"[scripted] {turn.thought}", "tool_calls": [call]}


def _streamed(completion: dict[str, Any]) -> Response:
    """Server-sent events: the message in one piece, its end, its usage, and the end of all."""
    (choice,) = completion["choices"]
    calls = [{"index": at, **call} for at, call in enumerate(choice["message"]["tool_calls"])]
    delta = {**choice["message"], "tool_calls": calls}
    head = {**completion, "object": "chat.completion.chunk", "usage": None}
    chunks = (
        {**head, "choices": [{"index": 0, "delta": delta, "finish_reason": None}]},
        {**head, "choices": [{"index": 0, "delta": {}, "finish_reason": choice["finish_reason"]}]},
        {**head, "choices": [], "usage": completion["usage"]},
    )
    lines = [msgspec.json.encode(chunk).decode() for chunk in chunks]
    text = "".join(f"data: {line}\n\n" for line in (*lines, "[DONE]"))
    return Response(text, media_type="text/event-stream")


def _chat_request(body: bytes) -> ChatRequest:
    try:
        asked = msgspec.json.decode(body, type=ChatRequest)
    except (msgspec.DecodeError, UnicodeDecodeError) as exc:
        raise HTTPException(
            400, f"We could not parse the JSON body of your request: {exc}"
        ) from exc
    if "bash" not in {tool.function.name for tool in asked.tools}:
        raise HTTPException(400, "This scripted model answers with calls of the tool 'bash' only.")
    return asked


async def _fail(_: Request, exc: Exception) -> Response:
    if not isinstance(exc, HTTPException):
        raise exc
    error = {"type": "invalid_request_error", "message": exc.detail, "param": None, "code": None}
    return _json({"error": error}, status=exc.status_code)


def _json(value: object, *, status: int = 200) -> Response:
    return Response(msgspec.json.encode(value), status, media_type="application/json")
