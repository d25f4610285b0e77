"""Stand-ins for the servers of models, which speak their protocols as streams of events."""

import json
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from tests.snapshot.http_stub import HttpStub, Request, Response

Json = dict[str, Any]
Event = tuple[str | None, Json]
INPUT_TOKENS: Final = 100
CACHED_TOKENS: Final = 900
OUTPUT_TOKENS: Final = 50


@dataclass(frozen=True, kw_only=True)
class Step:
    """One answer of the model: words, and a command if there is one."""

    text: str
    command: str | None = None


Script = Callable[[int], Step | Response]


@dataclass
class ModelServer:
    """Answers turn n of the agent by the script; a turn is a request that offers the tool."""

    script: Script
    is_turn: Callable[[Json], bool]
    render: Callable[[Step, int, Json], Iterable[Event]]
    turns: list[Request] = field(default_factory=list)
    others: list[Request] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.http = HttpStub(self._answer)

    def _answer(self, request: Request) -> Response:
        document = _document(request)
        if not self.is_turn(document):
            self.others.append(request)
            if request.method != "POST" or "count_tokens" in request.target:
                return Response(status=404, content={"error": {"message": "not here"}})
            return stream(self.render(Step(text="A title"), 0, document))
        self.turns.append(request)
        step = self.script(len(self.turns) - 1)
        if isinstance(step, Response):
            return step
        return stream(self.render(step, len(self.turns), document))


def _document(request: Request) -> Json:
    try:
        document = json.loads(request.body)
    except ValueError:
        return {}
    return document if isinstance(document, dict) else {}


def stream(events: Iterable[Event]) -> Response:
    """Server-sent events, with the name of each where the protocol has one."""
    text = "".join(
        (f"event: {name}\n" if name else "") + f"data: {json.dumps(content)}\n\n"
        for name, content in events
    )
    return Response(content=text.encode(), headers={"content-type": "text/event-stream"})


def anthropic(script: Script) -> ModelServer:
    """The Messages API."""
    return ModelServer(script, lambda sent: "Bash" in tools(sent), _messages)


def responses(script: Script) -> ModelServer:
    """OpenAI's Responses API."""
    return ModelServer(script, lambda sent: bool(tools(sent)), _responses)


def completions(script: Script) -> ModelServer:
    """OpenAI's chat completions."""
    return ModelServer(script, lambda sent: "bash" in tools(sent), _completions)


def tools(sent: Mapping[str, Any]) -> set[str]:
    """The names of the tools that a request offers."""
    offered = sent.get("tools") or []
    return {str(tool.get("name") or (tool.get("function") or {}).get("name")) for tool in offered}


def _messages(step: Step, number: int, sent: Json) -> Iterable[Event]:
    usage = {
        "input_tokens": INPUT_TOKENS,
        "cache_creation_input_tokens": 0,
        "cache_read_input_tokens": CACHED_TOKENS,
        "output_tokens": OUTPUT_TOKENS,
    }
    message: Json = {
        "id": f"msg_{number}",
        "type": "message",
        "role": "assistant",
        "model": sent.get("model"),
        "content": [],
        "stop_reason": None,
        "stop_sequence": None,
        "usage": {**usage, "output_tokens": 1},
    }
    yield _typed("message_start", message=message)
    text = {"type": "text", "text": ""}
    yield _typed("content_block_start", index=0, content_block=text)
    yield _typed("content_block_delta", index=0, delta={"type": "text_delta", "text": step.text})
    yield _typed("content_block_stop", index=0)
    if step.command is not None:
        call = {"type": "tool_use", "id": f"toolu_{number}", "name": "Bash", "input": {}}
        yield _typed("content_block_start", index=1, content_block=call)
        given = json.dumps({"command": step.command, "description": "Work"})
        delta = {"type": "input_json_delta", "partial_json": given}
        yield _typed("content_block_delta", index=1, delta=delta)
        yield _typed("content_block_stop", index=1)
    reason = "tool_use" if step.command is not None else "end_turn"
    yield _typed("message_delta", delta={"stop_reason": reason, "stop_sequence": None}, usage=usage)
    yield _typed("message_stop")


def _typed(kind: str, **content: object) -> Event:
    return kind, {"type": kind, **content}


def _responses(step: Step, number: int, sent: Json) -> Iterable[Event]:
    head = {"id": f"resp_{number}", "object": "response", "created_at": 1, "output": []}
    head |= {"model": sent.get("model"), "status": "in_progress"}
    yield _typed("response.created", response=head)
    text = [{"type": "output_text", "text": step.text, "annotations": []}]
    message = {"type": "message", "role": "assistant", "id": f"msg_{number}", "content": text}
    yield _typed("response.output_item.done", output_index=0, item=message)
    if step.command is not None:
        name, given = _codex_call(step.command, tools(sent))
        call = {"type": "function_call", "id": f"fc_{number}", "call_id": f"call_{number}"}
        call |= {"name": name, "arguments": json.dumps(given)}
        yield _typed("response.output_item.done", output_index=1, item=call)
    usage = {
        "input_tokens": INPUT_TOKENS + CACHED_TOKENS,
        "input_tokens_details": {"cached_tokens": CACHED_TOKENS},
        "output_tokens": OUTPUT_TOKENS,
        "output_tokens_details": {"reasoning_tokens": 10},
        "total_tokens": INPUT_TOKENS + CACHED_TOKENS + OUTPUT_TOKENS,
    }
    yield _typed("response.completed", response={**head, "status": "completed", "usage": usage})


def _codex_call(command: str, offered: set[str]) -> tuple[str, Json]:
    if "exec_command" in offered:
        # It answers at once what goes on for longer: 30 s is the most.
        return "exec_command", {"cmd": command, "yield_time_ms": 30_000}
    if "shell_command" in offered:
        return "shell_command", {"command": command}
    return "shell", {"command": ["bash", "-c", command]}


def _completions(step: Step, number: int, sent: Json) -> Iterable[Event]:
    head = {"id": f"chatcmpl-{number}", "object": "chat.completion.chunk", "created": 1}
    head["model"] = sent.get("model")

    def chunk(delta: Json, reason: str | None = None) -> Event:
        return None, {**head, "choices": [{"index": 0, "delta": delta, "finish_reason": reason}]}

    yield chunk({"role": "assistant", "content": step.text})
    if step.command is not None:
        given = json.dumps({"command": step.command, "description": "Work"})
        call = {"index": 0, "id": f"call_{number}", "type": "function"}
        yield chunk({"tool_calls": [{**call, "function": {"name": "bash", "arguments": given}}]})
    yield chunk({}, "tool_calls" if step.command is not None else "stop")
    usage = {
        "prompt_tokens": INPUT_TOKENS + CACHED_TOKENS,
        "completion_tokens": OUTPUT_TOKENS,
        "total_tokens": INPUT_TOKENS + CACHED_TOKENS + OUTPUT_TOKENS,
        "prompt_tokens_details": {"cached_tokens": CACHED_TOKENS},
    }
    yield None, {**head, "choices": [], "usage": usage}
