"""A stand-in for a model server: OpenAI's chat completions with tool calls, from a script.

Source: platform.openai.com/docs/api-reference/chat. It keeps no state: the number of answers in the
conversation says which turn is next, so an agent that starts again starts the script again. It
never pretends to think: `system_fingerprint` and every sentence say that it is scripted.
"""

from collections.abc import Awaitable, Callable, Sequence
from hmac import compare_digest
from typing import Annotated, Final, Literal

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
        """What it says."""
        if isinstance(self.content, list):
            return "".join(part.text for part in self.content)
        return self.content or ""


class Function(msgspec.Struct, frozen=True, kw_only=True):
    """The name of a tool; what else it says is for models that read."""

    name: str


class Tool(msgspec.Struct, frozen=True, kw_only=True):
    """A tool the model may call."""

    function: Function


class ChatRequest(msgspec.Struct, frozen=True, kw_only=True):
    """`POST /v1/chat/completions`."""

    model: Annotated[str, msgspec.Meta(min_length=1)]
    messages: Annotated[list[Message], msgspec.Meta(min_length=1)]
    tools: list[Tool] = []
    stream: bool | None = None


class CalledFunction(msgspec.Struct, frozen=True, kw_only=True):
    """The tool and its arguments, which are JSON inside JSON."""

    name: str
    arguments: str


class ToolCall(msgspec.Struct, frozen=True, kw_only=True):
    """One call of a tool."""

    id: str
    function: CalledFunction
    type: Literal["function"] = "function"


class Answer(msgspec.Struct, frozen=True, kw_only=True):
    """The message of the model."""

    content: str
    tool_calls: tuple[ToolCall, ...]
    role: Literal["assistant"] = "assistant"


class Choice(msgspec.Struct, frozen=True, kw_only=True):
    """The only choice."""

    message: Answer
    index: int = 0
    finish_reason: str = "tool_calls"
    logprobs: None = None


class Usage(msgspec.Struct, frozen=True, kw_only=True):
    """Tokens, counted as a quarter of the characters."""

    prompt_tokens: int
    completion_tokens: int
    total_tokens: int


class Completion(msgspec.Struct, frozen=True, kw_only=True):
    """The answer to a chat request."""

    id: str
    created: int
    """Unix seconds."""
    model: str
    choices: tuple[Choice, ...]
    usage: Usage
    object: Literal["chat.completion"] = "chat.completion"
    system_fingerprint: str = SCRIPTED


class Arguments(msgspec.Struct, frozen=True, kw_only=True):
    """What the tool `bash` takes."""

    command: str


class Failure(msgspec.Struct, frozen=True, kw_only=True):
    """What OpenAI says of an error."""

    message: str
    type: str = "invalid_request_error"
    param: str | None = None
    code: str | None = None


async def at_once() -> None:
    """No pause before an answer."""


class ScriptedModel:
    """The server. `pause` is awaited before each answer; `choose` picks the script."""

    def __init__(
        self,
        *,
        key: str,
        choose: Callable[[Sequence[str]], Script] = choose,
        pause: Callable[[], Awaitable[None]] = at_once,
        now: Callable[[], float],
    ) -> None:
        self._key = key
        self._choose = choose
        self._pause = pause
        self._now = now
        self.answered = 0
        """How many turns were asked of it."""
        self.app = Starlette(
            routes=[
                Route("/v1/chat/completions", self._complete, methods=["POST"]),
                Route("/v1/models", self._models, methods=["GET"]),
            ],
            exception_handlers={HTTPException: _fail},
        )

    async def _complete(self, request: Request) -> Response:
        self._enter(request)
        asked = _chat_request(await request.body())
        await self._pause()
        self.answered += 1
        return _json(self._completion(asked))

    async def _models(self, request: Request) -> Response:
        self._enter(request)
        model = {"id": SCRIPTED, "object": "model", "created": 0, "owned_by": "slipgate"}
        return _json({"object": "list", "data": [model]})

    def _enter(self, request: Request) -> None:
        given = request.headers.get("authorization", "").removeprefix("Bearer ")
        if not compare_digest(given.encode(), self._key.encode()):
            raise HTTPException(401, "Incorrect API key provided.")

    def _completion(self, asked: ChatRequest) -> Completion:
        shown = [message.text for message in asked.messages if message.role == "tool"]
        number = sum(message.role == "assistant" for message in asked.messages)
        answer = _answer(turn(self._choose(shown), number), number)
        read = sum(len(message.text) for message in asked.messages) // CHARACTERS_PER_TOKEN
        written = len(msgspec.json.encode(answer)) // CHARACTERS_PER_TOKEN
        return Completion(
            id=f"chatcmpl-scripted-{self.answered}",
            created=int(self._now()),
            model=asked.model,
            choices=(Choice(message=answer),),
            usage=Usage(prompt_tokens=read, completion_tokens=written, total_tokens=read + written),
        )


def _answer(said: Turn, number: int) -> Answer:
    arguments = msgspec.json.encode(Arguments(command=said.command)).decode()
    call = ToolCall(
        id=f"call_scripted_{number}", function=CalledFunction(name="bash", arguments=arguments)
    )
    return Answer(content=f"[scripted] {said.thought}", tool_calls=(call,))


def _chat_request(body: bytes) -> ChatRequest:
    try:
        asked = msgspec.json.decode(body, type=ChatRequest)
    except (msgspec.DecodeError, UnicodeDecodeError) as exc:
        raise HTTPException(
            400, f"We could not parse the JSON body of your request: {exc}"
        ) from exc
    if asked.stream:
        raise HTTPException(400, "This scripted model does not stream.")
    if "bash" not in {tool.function.name for tool in asked.tools}:
        raise HTTPException(400, "This scripted model answers with calls of the tool 'bash' only.")
    return asked


async def _fail(_: Request, exc: Exception) -> Response:
    if not isinstance(exc, HTTPException):
        raise exc
    return _json({"error": Failure(message=exc.detail)}, status=exc.status_code)


def _json(value: object, *, status: int = 200) -> Response:
    return Response(msgspec.json.encode(value), status, media_type="application/json")
