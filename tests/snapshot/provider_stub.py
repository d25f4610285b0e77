"""The providers of models with their true protocols: documents and streams, and what they refuse.

A provider that has handed out reasoning refuses a turn without it, as the real ones do.
"""

import json
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Any

from tests.snapshot.http_stub import HttpStub, Request, Response

Json = dict[str, Any]
STREAM = {"content-type": "text/event-stream"}


@dataclass(frozen=True, kw_only=True)
class Turn:
    """One answer of a model, in whatever protocol it is asked."""

    text: str = ""
    commands: tuple[str, ...] = ()
    ending: str = ""
    """The reason that it ended, if it is not the usual one."""
    refusal: str = ""
    usage: Json | None = None
    arguments: str | None = None
    """Of every call, in place of a command."""


Answer = Turn | Response


@dataclass
class ProviderStub:
    """Answers turn n with the nth answer; the last one is repeated."""

    answers: list[Answer] = field(default_factory=list)
    answer: Callable[[int, Json], Answer] | None = None
    """In place of the answers."""
    refuses: dict[str, str] = field(default_factory=dict)
    """Parameter → the words with which its use is refused."""
    streams: bool = True
    """False: the server ignores `stream`."""
    is_forgetful: bool = False
    """True: it wants nothing back of its earlier answers."""
    requests: list[Request] = field(default_factory=list)
    expected: list[Json] = field(default_factory=list)
    """Everything that has to come back at each turn."""

    def __post_init__(self) -> None:
        self.http = HttpStub(self._answer)

    @property
    def base_url(self) -> str:
        """The address of the two protocols of OpenAI; Anthropic's is one folder higher."""
        return f"{self.http.url}/v1"

    @property
    def bodies(self) -> list[Json]:
        """All that was asked."""
        return [request.json() for request in self.requests]

    def _answer(self, request: Request) -> Response:
        self.requests.append(request)
        body = request.json()
        for parameter, words in self.refuses.items():
            if parameter in json.dumps(body):
                return refusal(400, words)
        found = list(_objects(body))
        if not self.is_forgetful and not all(
            any(_holds(each, expected) for each in found) for expected in self.expected
        ):
            return refusal(400, "a part of an earlier answer is missing")
        return self._spoken(request.target, body)

    def _spoken(self, target: str, body: Json) -> Response:
        turn = len(self.requests) - 1
        made = self.answers[min(turn, len(self.answers) - 1)] if self.answers else Turn()
        if self.answer is not None:
            made = self.answer(turn, body)
        if isinstance(made, Response):
            return made
        is_stream = self.streams and body.get("stream") is True
        speak = {"chat/completions": _chat, "responses": _responses, "messages": _messages}
        document, events = speak[target.removeprefix("/v1/")](self, made, turn)
        if not is_stream:
            return Response(content=document)
        return Response(content=sse(events), headers=STREAM)


def refusal(status: int, message: str, **more: object) -> Response:
    """An error in the form of OpenAI, which all know."""
    error = {"message": message, "type": "invalid_request_error", **more}
    return Response(status=status, content={"error": error}, headers={"retry-after-ms": "1"})


def sse(events: Iterable[object], *, done: bool = True) -> bytes:
    """Events as a stream, with signs of life between them."""
    lines = []
    for event in events:
        if isinstance(event, dict) and "type" in event:
            lines.append(f"event: {event['type']}\n")
        lines.append(f"data: {json.dumps(event)}\n\n: PROCESSING\n\n")
    return "".join(lines + ["data: [DONE]\n\n"] * done).encode()


def _objects(value: object) -> Iterable[Json]:
    if isinstance(value, dict):
        yield value
        value = list(value.values())
    for item in value if isinstance(value, list) else ():
        yield from _objects(item)


def _holds(whole: Json, part: Json) -> bool:
    return all(whole.get(name) == value for name, value in part.items())


def _arguments(turn: Turn, command: str) -> str:
    return json.dumps({"command": command}) if turn.arguments is None else turn.arguments


def _halves(text: str) -> tuple[str, str]:
    return text[: len(text) // 2], text[len(text) // 2 :]


def _chat(stub: ProviderStub, turn: Turn, number: int) -> tuple[Json, list[Json]]:
    detail = {"type": "reasoning.text", "text": f"I think {number}.", "signature": f"s{number}"}
    google = {"google": {"thought_signature": f"t{number}"}}
    calls: list[Json] = [
        {
            "id": f"call_{number}_{place}",
            "type": "function",
            "function": {"name": "bash", "arguments": _arguments(turn, command)},
            "extra_content": google,
        }
        for place, command in enumerate(turn.commands)
    ]
    message: Json = {"role": "assistant", "content": turn.text or None}
    message |= {"reasoning_content": "Hm.", "reasoning_details": [{**detail, "index": 0}]}
    message |= {"refusal": turn.refusal or None}
    if calls:
        message["tool_calls"] = calls
    if calls and turn.arguments is None:
        stub.expected += [
            detail,
            {"reasoning_content": "Hm."},
            *({"extra_content": google} for _ in calls[:1]),
        ]
    usage = turn.usage or {"prompt_tokens": 1000, "completion_tokens": 10, "total_tokens": 1010}
    ending = turn.ending or ("tool_calls" if calls else "stop")
    choice = {"index": 0, "message": message, "finish_reason": ending}
    document: Json = {"id": "c", "object": "chat.completion", "choices": [choice], "usage": usage}
    return document, [*_chat_chunks(message, calls, ending), {"choices": [], "usage": usage}]


def _chat_chunks(message: Json, calls: list[Json], ending: str) -> Iterable[Json]:
    def chunk(delta: object, finish: str | None = None) -> Json:
        return {"choices": [{"index": 0, "delta": delta, "finish_reason": finish}]}

    yield chunk({"role": "assistant", "content": ""})
    for part in _halves("I think"):
        yield chunk({"reasoning_details": [{"type": "reasoning.text", "text": part, "index": 0}]})
    details = message["reasoning_details"]
    assert isinstance(details, list)
    rest = str(details[0]["text"]).removeprefix("I think")
    yield chunk({"reasoning_details": [{**details[0], "text": rest}]})
    yield from (chunk({"reasoning_content": part}) for part in _halves("Hm."))
    yield from (chunk({"content": part}) for part in _halves(str(message["content"] or "")))
    if message["refusal"]:
        yield from (chunk({"refusal": part}) for part in _halves(str(message["refusal"])))
    for index, call in enumerate(calls):
        function = call["function"]
        assert isinstance(function, dict)
        first, second = _halves(str(function["arguments"]))
        begun = {**call, "index": index, "function": {**function, "arguments": first}}
        yield chunk({"tool_calls": [begun]})
        yield chunk({"tool_calls": [{"index": index, "function": {"arguments": second}}]})
    yield chunk({}, ending)


def _responses(stub: ProviderStub, turn: Turn, number: int) -> tuple[Json, list[Json]]:
    secret = {"type": "reasoning", "id": f"rs_{number}", "encrypted_content": f"enc{number}"}
    reasoning: Json = {**secret, "summary": [], "status": None}
    part: Json = {"type": "output_text", "text": turn.text, "annotations": []}
    if turn.refusal:
        part = {"type": "refusal", "refusal": turn.refusal}
    message_item: Json = {"type": "message", "role": "assistant", "id": "m", "content": [part]}
    calls: list[Json] = [
        {
            "type": "function_call",
            "id": f"fc_{number}_{place}",
            "call_id": f"call_{number}_{place}",
            "name": "bash",
            "arguments": _arguments(turn, command),
        }
        for place, command in enumerate(turn.commands)
    ]
    output = [reasoning, *([message_item] if turn.text or turn.refusal else []), *calls]
    if calls:
        stub.expected.append(secret)
    usage = turn.usage or {"input_tokens": 1000, "output_tokens": 10, "total_tokens": 1010}
    response: Json = {"id": "r", "object": "response", "output": output, "usage": usage}
    response |= {"status": "completed", "error": None, "incomplete_details": None}
    kind = "response.completed"
    if turn.ending:
        response |= {"status": "incomplete", "incomplete_details": {"reason": turn.ending}}
        kind = "response.incomplete"
    begun = {"type": "response.created", "response": {**response, "output": [], "usage": None}}
    done = [{"type": "response.output_item.done", "item": item} for item in output]
    return response, [begun, *done, {"type": kind, "response": response}]


def _messages(stub: ProviderStub, turn: Turn, number: int) -> tuple[Json, list[Json]]:
    thinking = {"type": "thinking", "thinking": "Hm.", "signature": f"sig{number}"}
    hidden = {"type": "redacted_thinking", "data": f"red{number}"}
    text = turn.text or turn.refusal
    uses: list[Json] = [
        {
            "type": "tool_use",
            "id": f"toolu_{number}_{place}",
            "name": "bash",
            "input": json.loads(_arguments(turn, command)),
        }
        for place, command in enumerate(turn.commands)
    ]
    texts: list[Json] = [{"type": "text", "text": text}] if text else []
    content: list[Json] = [thinking, hidden, *texts, *uses]
    if uses:
        stub.expected += [thinking, hidden]
    usage = turn.usage or {"input_tokens": 1000, "output_tokens": 10}
    ending = "refusal" if turn.refusal else turn.ending or ("tool_use" if uses else "end_turn")
    message: Json = {"id": "m", "type": "message", "role": "assistant", "content": content}
    message |= {"model": "claude", "stop_reason": ending, "usage": usage}
    return message, list(_message_events(message, content, usage, ending))


def _message_events(message: Json, content: list[Json], usage: Json, ending: str) -> Iterable[Json]:
    begun = {**message, "content": [], "stop_reason": None, "usage": {**usage, "output_tokens": 1}}
    yield {"type": "message_start", "message": begun}
    yield {"type": "ping"}
    for index, block in enumerate(content):
        empty, deltas = _block_deltas(block)
        yield {"type": "content_block_start", "index": index, "content_block": empty}
        for delta in deltas:
            yield {"type": "content_block_delta", "index": index, "delta": delta}
        yield {"type": "content_block_stop", "index": index}
    outputs = {"output_tokens": usage["output_tokens"]}
    yield {"type": "message_delta", "delta": {"stop_reason": ending}, "usage": outputs}
    yield {"type": "message_stop"}


def _block_deltas(block: Json) -> tuple[Json, list[Json]]:
    if block["type"] == "text":
        parts = _halves(str(block["text"]))
        return {**block, "text": ""}, [{"type": "text_delta", "text": part} for part in parts]
    if block["type"] == "thinking":
        thought = {"type": "thinking_delta", "thinking": block["thinking"]}
        signed = {"type": "signature_delta", "signature": block["signature"]}
        return {"type": "thinking", "thinking": "", "signature": ""}, [thought, signed]
    if block["type"] == "tool_use":
        parts = _halves(json.dumps(block["input"]))
        deltas: list[Json] = [{"type": "input_json_delta", "partial_json": p} for p in parts]
        return {**block, "input": {}}, deltas
    return block, []
