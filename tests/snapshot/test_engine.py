"""The model's clients, and what their answers mean."""

from pathlib import Path

import pytest

from snapshot.runner.agent.chat import Message
from snapshot.runner.configuration import ModelAccess
from snapshot.runner.failure import Failure
from snapshot.runner.variables import Secret
from tests.snapshot.clients import client_of
from tests.snapshot.http_stub import HttpStub, Request, Response
from tests.snapshot.model_stub import ModelStub, chatter, completion, tool_call

QUICK = {"retry-after-ms": "1", "retry-after": "0"}
MESSAGES: list[Message] = [
    {"role": "system", "content": "Be careful."},
    {"role": "user", "content": "Fix it."},
    {
        "role": "assistant",
        "content": "Looking.",
        "tool_calls": [
            {
                "id": "call_1",
                "type": "function",
                "function": {"name": "bash", "arguments": '{"command": "ls"}'},
            }
        ],
    },
    {"role": "tool", "tool_call_id": "call_1", "content": "a.py"},
]

USE = {"type": "tool_use", "id": "call_1", "name": "bash", "input": {"command": "ls"}}
CONVERSATION: list[Message] = [
    *MESSAGES[:2],
    {"role": "assistant", "blocks": [{"type": "text", "text": "Looking."}, USE]},
    MESSAGES[-1],
    {"role": "user", "content": "Go on."},
]


def access(base_url: str, *, provider: str = "openai", name: str = "gpt-5") -> ModelAccess:
    """A model behind a stub."""
    return ModelAccess(provider=provider, name=name, key=Secret("sk-test"), base_url=base_url)


@pytest.fixture
def model() -> ModelStub:
    """A model."""
    return ModelStub()


def test_words_calls_tokens_and_price_are_read(model: ModelStub) -> None:
    model.answer = lambda turn: tool_call("ls")
    reply = client_of(access(model.base_url)).complete(MESSAGES)
    assert reply.text == "Next step."
    assert [(call.name, call.arguments) for call in reply.calls] == [("bash", '{"command": "ls"}')]
    assert (reply.tokens.input, reply.tokens.output) == (1000, 10)
    assert reply.tokens.cost_usd == pytest.approx(0.00135)
    model.http.stop()


def test_an_unknown_model_has_no_price(model: ModelStub) -> None:
    model.answer = lambda turn: chatter("hi")
    reply = client_of(access(model.base_url, name="scripted-1")).complete(MESSAGES)
    assert reply.tokens.cost_usd is None
    model.http.stop()


REFUSALS = {
    "wrong key": (401, "Incorrect API key", "model_auth", False),
    "forbidden": (403, "No access", "model_auth", False),
    "unknown model": (404, "No such model", "model_not_found", False),
    "too long": (400, "maximum context length is 8", "model_context_exceeded", False),
    "bad request": (400, "Unknown parameter", "model_refused_request", False),
    "no money": (429, "insufficient_quota", "model_quota", False),
    "too fast": (429, "Rate limit reached", "model_rate_limited", True),
    "broken": (500, "Oops", "model_unavailable", True),
}


@pytest.mark.parametrize(
    ("status", "message", "code", "is_retryable"), REFUSALS.values(), ids=REFUSALS.keys()
)
def test_a_refusal_has_a_code(
    model: ModelStub, status: int, message: str, code: str, is_retryable: bool
) -> None:
    error = {"error": {"message": message, "type": "e", "code": message}}
    model.answer = lambda turn: Response(status=status, content=error, headers=QUICK)
    with pytest.raises(Failure) as caught:
        client_of(access(model.base_url)).complete(MESSAGES)
    assert (caught.value.code, caught.value.retryable) == (code, is_retryable)
    assert "sk-test" not in caught.value.message
    model.http.stop()


@pytest.mark.parametrize(
    "response",
    [
        Response(content=b"<html>hello</html>", headers={"content-type": "text/html"}),
        Response(content=b"{not json"),
        Response(content={}),
        Response(content={"choices": []}),
        Response(content={"choices": [{"index": 0}]}),
        Response(content={"error": {"message": "upstream failed"}}),
        Response(content=[1, 2]),
        Response(content={"choices": {"0": 1}, "usage": []}),
        Response(content={"choices": [], "usage": {"prompt_tokens": -5}}),
        Response(content=b"\xff\xfe<html>"),
        Response(content=None),
        completion(5),
        completion({"role": "assistant", "content": "", "tool_calls": 7}),
    ],
    ids=lambda response: str(response.content)[-40:],
)
def test_garbage_is_called_garbage(model: ModelStub, response: Response) -> None:
    model.answer = lambda turn: response
    with pytest.raises(Failure) as caught:
        client_of(access(model.base_url)).complete(MESSAGES)
    assert caught.value.code == "model_garbage"
    model.http.stop()


def test_a_provider_that_is_not_there_is_unreachable(model: ModelStub) -> None:
    model.http.stop()
    chat = client_of(access(model.base_url))
    with pytest.raises(Failure) as caught:
        chat.complete(MESSAGES)
    assert (caught.value.code, caught.value.retryable) == ("model_unreachable", True)


@pytest.mark.filterwarnings("ignore:The model:DeprecationWarning")
def test_anthropic_is_spoken_to_in_its_own_form(tmp_path: Path) -> None:
    requests: list[Request] = []

    def answer(request: Request) -> Response:
        requests.append(request)
        return Response(
            content={
                "id": "msg_1",
                "type": "message",
                "role": "assistant",
                "model": "claude-sonnet-4-5",
                "content": [
                    {"type": "text", "text": "Editing."},
                    {"type": "tool_use", "id": "t_2", "name": "bash", "input": {"command": "ls"}},
                ],
                "stop_reason": "tool_use",
                "stop_sequence": None,
                "usage": {"input_tokens": 100, "output_tokens": 10, "cache_read_input_tokens": 900},
            }
        )

    http = HttpStub(answer)
    model = access(http.url, provider="anthropic", name="claude-sonnet-4-5")
    reply = client_of(model).complete(CONVERSATION)
    http.stop()
    assert (reply.text, reply.calls[0].arguments) == ("Editing.", '{"command": "ls"}')
    assert reply.tokens.input == 1000
    assert reply.tokens.cost_usd
    sent = requests[0].json()
    cached = {"cache_control": {"type": "ephemeral"}}
    assert sent["system"] == [{"type": "text", "text": "Be careful.", **cached}]
    assert sent["messages"] == [
        {"role": "user", "content": [{"type": "text", "text": "Fix it.", **cached}]},
        {
            "role": "assistant",
            "content": [
                {"type": "text", "text": "Looking."},
                {"type": "tool_use", "id": "call_1", "name": "bash", "input": {"command": "ls"}},
            ],
        },
        {
            "role": "user",
            "content": [
                {"type": "tool_result", "tool_use_id": "call_1", "content": "a.py"},
                {"type": "text", "text": "Go on.", **cached},
            ],
        },
    ]
