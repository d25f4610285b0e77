"""Models and providers that do not behave: how each one ends, and that the work so far is there."""

import json
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from snapshot.runner.configuration import AgentChoice, ModelPrice
from tests.snapshot import mini_agent
from tests.snapshot.http_stub import Response
from tests.snapshot.model_stub import DONE, completion
from tests.snapshot.provider_stub import STREAM, Answer, ProviderStub, Turn, refusal, sse

pytestmark = [
    pytest.mark.filterwarnings("ignore:The model:DeprecationWarning"),
    pytest.mark.filterwarnings("ignore:Using Claude:UserWarning"),
]
WORK = Turn(text="I begin.", commands=("echo 1 > work",))
END = Turn(commands=(DONE,))
ANTHROPIC: dict[str, Any] = {"provider": "anthropic"}
GOOGLE: dict[str, Any] = {"provider": "google"}
OPENROUTER: dict[str, Any] = {"provider": "openrouter", "name": "openai/gpt-5"}
RESPONSES: dict[str, Any] = {"api": "responses"}
PAGE = Response(
    content=b"<html><style>a{}</style><h1>502 Bad Gateway</h1></html>",
    headers={"content-type": "text/html"},
)


@dataclass(frozen=True, kw_only=True)
class Row:
    """A model's acts after its first turn, and the end of its task."""

    name: str
    answers: tuple[Answer, ...]
    """The last one is repeated."""
    code: str | None
    """None: it is done in the end."""
    words: str = ""
    """Something that the failure quotes."""
    asked: int | None = None
    """Requests in all."""
    model: dict[str, Any] = field(default_factory=dict)
    choice: AgentChoice | None = None


def error(status: int, message: str, **more: object) -> Response:
    """An error of a provider, whose pauses are short."""
    return refusal(status, message, **more)


def stream(*events: object, done: bool = True) -> Response:
    """A stream of these events."""
    return Response(content=sse(events, done=done), headers=STREAM)


def ok(content: object) -> Response:
    """A document with the status 200."""
    return Response(content=content)


def chunk(delta: object, finish: str | None = None) -> dict[str, object]:
    """A piece of a chat completion."""
    return {"choices": [{"index": 0, "delta": delta, "finish_reason": finish}]}


def called(name: object, arguments: object) -> Response:
    """A chat completion that calls something."""
    call = {"id": "c", "type": "function", "function": {"name": name, "arguments": arguments}}
    return completion({"role": "assistant", "content": None, "tool_calls": [call]})


BAD_GATEWAY = {"code": 502, "message": "Provider returned error", "metadata": {"raw": "upstream"}}
PER_DAY = [
    {
        "error": {
            "code": 429,
            "status": "RESOURCE_EXHAUSTED",
            "message": "You exceeded your current quota, please check your plan. Retry in 12s",
            "details": [{"quotaId": "GenerateRequestsPerDayPerProject", "retryDelay": "12s"}],
        }
    }
]
PER_MINUTE = json.loads(json.dumps(PER_DAY).replace("PerDay", "PerMinute"))
OVERLOADED = {"type": "error", "error": {"type": "overloaded_error", "message": "Overloaded"}}
FAILED = {
    "type": "response.failed",
    "response": {"status": "failed", "error": {"code": "server_error", "message": "It broke"}},
}
TOO_LONG = {
    "openai": ({}, "This model's maximum context length is 8192 tokens."),
    "openai responses": (RESPONSES, "Your input exceeds the context window of this model."),
    "anthropic": (ANTHROPIC, "prompt is too long: 205000 tokens > 200000 maximum"),
    "google": (GOOGLE, "The input token count (9) exceeds the maximum number of tokens allowed"),
    "openrouter": (OPENROUTER, "This endpoint's maximum context length is 128000 tokens."),
    "llama.cpp": ({}, "the request exceeds the available context size"),
}
ROWS = (
    # Answers that nothing can be done with.
    Row(name="talks for ever", answers=(Turn(text="I would love to!"),), code="model_garbage"),
    Row(name="talks once", answers=(Turn(text="Let me see."), END), code=None),
    Row(name="is empty for ever", answers=(Turn(),), code="model_garbage", words="empty", asked=4),
    Row(name="is empty once", answers=(Turn(), END), code=None),
    Row(
        name="is empty for ever in anthropic's protocol",
        answers=(Turn(),),
        code="model_garbage",
        model=ANTHROPIC,
    ),
    Row(
        name="is empty for ever in responses",
        answers=(Turn(),),
        code="model_garbage",
        model=RESPONSES,
    ),
    Row(name="is a page for ever", answers=(PAGE,), code="model_garbage", words="502 Bad Gateway"),
    Row(name="is a page once", answers=(PAGE, END), code=None),
    Row(name="is no JSON", answers=(ok(b"{not json"),), code="model_garbage", words="not json"),
    Row(name="is nothing", answers=(ok(b""),), code="model_garbage"),
    Row(name="is null", answers=(ok(None),), code="model_garbage"),
    Row(name="is a number in place of a message", answers=(completion(5),), code="model_garbage"),
    Row(name="is cut for ever", answers=(Turn(text="So", ending="length"),), code="model_garbage"),
    Row(
        name="is cut for ever in a call",
        answers=(Turn(commands=("x",), arguments='{"command": "ec', ending="length"),),
        code="model_garbage",
    ),
    Row(
        name="is cut once in a call",
        answers=(Turn(commands=("x",), arguments='{"command": "ec', ending="length"), END),
        code=None,
    ),
    Row(name="calls with a number", answers=(called("bash", 5), END), code=None),
    Row(name="calls with a list", answers=(called("bash", "[1]"), END), code=None),
    Row(name="calls in deep brackets", answers=(called("bash", "[" * 99_999), END), code=None),
    Row(name="calls another tool", answers=(called("python", "{}"),), code="model_garbage"),
    Row(name="calls nothing by name", answers=(called(None, None),), code="model_garbage"),
    *(
        Row(
            name=f"is another document {name}",
            answers=(ok({"detail": "Model is warming up"}),),
            code="model_garbage",
            words="warming up",
            asked=4,
            model=model,
        )
        for name, model in (
            ("in chat", {}),
            ("in responses", RESPONSES),
            ("at anthropic", ANTHROPIC),
        )
    ),
    # Streams that break.
    Row(
        name="breaks off for ever",
        answers=(stream(chunk({"content": "I wi"}), done=False),),
        code="model_unreachable",
        words="broke off",
        asked=7,
    ),
    Row(
        name="breaks off once",
        answers=(stream(chunk({"content": "I wi"}), done=False), END),
        code=None,
    ),
    Row(
        name="breaks off once in anthropic's protocol",
        answers=(stream({"type": "message_start", "message": {}}, done=False), END),
        code=None,
        model=ANTHROPIC,
    ),
    Row(
        name="breaks off once in responses",
        answers=(stream({"type": "response.created"}, done=False), END),
        code=None,
        model=RESPONSES,
    ),
    Row(
        name="streams what is no JSON",
        answers=(Response(content=b"data: {no\n\n", headers=STREAM),),
        code="model_unreachable",
    ),
    Row(
        name="fails within its stream once",
        answers=(stream(chunk({"content": "a"}), {"error": BAD_GATEWAY}), END),
        code=None,
        model=OPENROUTER,
    ),
    Row(
        name="is overloaded within its stream once",
        answers=(stream(OVERLOADED, done=False), END),
        code=None,
        model=ANTHROPIC,
    ),
    Row(
        name="fails in responses for ever",
        answers=(stream(FAILED),),
        code="model_unavailable",
        words="It broke",
        model=RESPONSES,
    ),
    Row(
        name="streams without saying so",
        answers=(Response(content=sse([chunk({"content": "a"}), chunk({}, "stop")])), END),
        code=None,
    ),
    # Errors, also with the status 200.
    Row(
        name="answers 200 with an error for ever",
        answers=(ok({"error": BAD_GATEWAY}),),
        code="model_unavailable",
        words="Provider returned error – upstream",
        asked=7,
    ),
    Row(
        name="answers 200 with a code in letters",
        answers=(ok({"error": {"code": "502", "message": "Bad gateway"}}),),
        code="model_unavailable",
        model=OPENROUTER,
    ),
    Row(name="answers 200 with an error once", answers=(ok({"error": "away"}), END), code=None),
    Row(
        name="answers 200 with an error without a code",
        answers=(ok({"error": {"message": "upstream failed"}}),),
        code="model_garbage",
        words="upstream failed",
    ),
    Row(
        name="ends a choice in an error",
        answers=(ok({"choices": [{"finish_reason": "error", "error": BAD_GATEWAY}]}),),
        code="model_unavailable",
        words="upstream",
        model=OPENROUTER,
    ),
    Row(name="is broken", answers=(error(500, "Oops"),), code="model_unavailable", words="Oops"),
    Row(name="echoes a key", answers=(error(500, f"bad {mini_agent.KEY}"), END), code=None),
    Row(name="is broken twice", answers=(error(503, "a"), error(529, "b"), END), code=None),
    Row(name="refuses a key", answers=(error(401, "Incorrect key"),), code="model_auth", asked=2),
    Row(
        name="refuses a key with the status 400",
        answers=(error(400, "API key not valid. Please pass a valid API key."),),
        code="model_auth",
        model=GOOGLE,
    ),
    Row(name="is unknown", answers=(error(404, "No such model"),), code="model_not_found"),
    Row(
        name="is unknown with the status 400",
        answers=(error(400, "x/y is not a valid model ID"),),
        code="model_not_found",
        model=OPENROUTER,
    ),
    Row(
        name="leads elsewhere",
        answers=(Response(status=307, headers={"location": "http://127.0.0.1:9/"}),),
        code="model_refused_request",
    ),
    # Limits of the account.
    Row(
        name="has no credit at openai",
        answers=(error(429, "You exceeded your current quota", code="insufficient_quota"),),
        code="model_quota",
        asked=2,
    ),
    Row(
        name="has no credit at anthropic",
        answers=(error(400, "Your credit balance is too low to access the Anthropic API."),),
        code="model_quota",
        words="credit balance",
        model=ANTHROPIC,
    ),
    Row(
        name="has no credit at openrouter",
        answers=(error(402, "This request requires more credits"),),
        code="model_quota",
        model=OPENROUTER,
    ),
    Row(
        name="has no credit at google",
        answers=(Response(status=429, content=PER_DAY),),
        code="model_quota",
        model=GOOGLE,
    ),
    Row(
        name="is limited for a minute",
        answers=(Response(status=429, content=PER_MINUTE), END),
        code=None,
        model=GOOGLE,
    ),
    Row(
        name="is limited for ever",
        answers=(error(429, "Rate limit reached: add a payment method at /account/billing"),),
        code="model_rate_limited",
        asked=7,
    ),
    Row(
        name="is limited for an hour",
        answers=(Response(status=429, content={}, headers={"retry-after": "3600"}),),
        code="model_rate_limited",
        asked=2,
    ),
    # Refusals.
    *(
        Row(
            name=f"refuses {name}",
            answers=(Turn(refusal="I cannot help with that."),),
            code="model_refused",
            words="I cannot help with that.",
            asked=2,
            model=model,
        )
        for name, model in (
            ("in chat", {}),
            ("in responses", RESPONSES),
            ("at anthropic", ANTHROPIC),
        )
    ),
    Row(
        name="is filtered",
        answers=(Turn(text="I can", ending="content_filter"),),
        code="model_refused",
        words="content_filter",
    ),
    Row(
        name="is filtered at google",
        answers=(Turn(ending="content_filter: PROHIBITED_CONTENT"),),
        code="model_refused",
        words="prohibited_content",
        model=GOOGLE,
    ),
    Row(
        name="is filtered in responses",
        answers=(Turn(text="I can", ending="content_filter"),),
        code="model_refused",
        model=RESPONSES,
    ),
    Row(
        name="is moderated",
        answers=(error(403, "Your input was flagged", metadata={"reasons": ["violence"]}),),
        code="model_refused",
        words="flagged",
        model=OPENROUTER,
    ),
    # Contexts.
    *(
        Row(
            name=f"is full at {name}",
            answers=(error(400, words),),
            code="model_context_exceeded",
            words=words[:30],
            model=model,
        )
        for name, (model, words) in TOO_LONG.items()
    ),
    # Loops and limits.
    Row(name="repeats a step", answers=(Turn(commands=("ls",)),), code="agent_stuck", asked=5),
    Row(
        name="swings between two steps",
        answers=(Turn(commands=("ls",)), Turn(commands=("pwd",))) * 5,
        code="agent_stuck",
        asked=9,
    ),
    Row(
        name="goes round three steps",
        answers=tuple(Turn(commands=(c,)) for c in ("ls", "pwd", "date +%S")) * 10,
        code="agent_stuck",
        asked=13,
    ),
    Row(
        name="is never done",
        answers=tuple(Turn(commands=(f"echo a{n}",)) for n in range(30)),
        code="max_turns",
        asked=10,
        choice=AgentChoice(max_turns=10),
    ),
    Row(
        name="is dear",
        answers=(
            Turn(commands=("ls",), usage={"prompt_tokens": 900_000, "completion_tokens": 1}),
            Turn(commands=("pwd",)),
        ),
        code="max_cost",
        words="0.5 USD",
        asked=2,
        choice=AgentChoice(max_cost_usd=0.5),
    ),
    # Odd things that do no harm.
    Row(name="sends a NUL", answers=(Turn(commands=("a\0b",)), END), code=None),
    *(
        Row(
            name=f"sends a lone surrogate {name}",
            answers=(Turn(text="\ud800", commands=("echo \ud800",)), END),
            code=None,
            model=model,
        )
        for name, model in (
            ("in chat", {}),
            ("in responses", RESPONSES),
            ("at anthropic", ANTHROPIC),
        )
    ),
    Row(name="calls twice at once", answers=(Turn(commands=("ls", "pwd")), END), code=None),
    Row(
        name="counts backwards",
        answers=(Turn(commands=("ls",), usage={"prompt_tokens": -5}), END),
        code=None,
    ),
)


@pytest.fixture
def stub() -> Iterator[ProviderStub]:
    """A provider."""
    stub = ProviderStub()
    yield stub
    stub.http.stop()


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row.name)
def test_every_model_ends_as_it_should_and_its_work_is_kept(
    row: Row, stub: ProviderStub, tmp_path: Path
) -> None:
    stub.answers = [WORK, *row.answers]
    run = mini_agent.run(mini_agent.access(stub, **row.model), tmp_path, choice=row.choice)
    assert run.code == row.code, run.words
    assert row.words in run.words
    assert len(run.words) < 1_500
    assert row.asked in (None, len(stub.requests))
    assert (run.directory / "work").read_text() == "1\n"
    assert mini_agent.KEY not in run.log


def test_there_are_at_least_forty_of_them() -> None:
    assert len({row.name for row in ROWS}) >= 40


def test_a_provider_that_is_not_there_is_unreachable(stub: ProviderStub, tmp_path: Path) -> None:
    stub.http.stop()
    run = mini_agent.run(mini_agent.access(stub), tmp_path)
    assert run.code == "model_unreachable"
    assert run.log.count("asked again") == 5


def test_a_full_context_is_shortened_once_and_the_model_goes_on(
    stub: ProviderStub, tmp_path: Path
) -> None:
    def answer(turn: int, body: dict[str, Any]) -> Answer:
        if len(json.dumps(body["messages"])) > 60_000:
            return error(400, "This model's maximum context length is 8192 tokens.")
        return Turn(commands=(f"seq {turn} 2500",)) if turn < 30 else END

    stub.is_forgetful, stub.answer = True, answer
    model = mini_agent.access(stub, name="ours", prices={"*": ModelPrice(input=1, output=1)})
    run = mini_agent.run(model, tmp_path)
    assert run.code is None, run.words
    refused = run.log.count("context is full")
    assert 1 <= refused <= 3, "it has learned how much it may send"


def test_a_known_context_is_never_filled(stub: ProviderStub, tmp_path: Path) -> None:
    sizes: list[int] = []

    def answer(turn: int, body: dict[str, Any]) -> Answer:
        size = len(json.dumps(body["messages"])) // 2
        sizes.append(size)
        usage = {"prompt_tokens": size, "completion_tokens": 1}
        return Turn(commands=(f"seq {turn} 2500",) * 3, usage=usage) if turn < 20 else END

    stub.answer = answer
    choice = AgentChoice(max_cost_usd=99)
    run = mini_agent.run(mini_agent.access(stub, name="gpt-4o"), tmp_path, choice=choice)
    assert run.code is None, run.words
    assert 60_000 < max(sizes) < 128_000


def test_observations_are_the_text_itself_in_any_language(
    stub: ProviderStub, tmp_path: Path
) -> None:
    texts = ("Привет, мир", "你好世界", 'a "quoted" \\ path')
    commands = [f"printf '%s' '{text}'" for text in texts]
    stub.answers = [Turn(commands=(*commands, "echo no; exit 3", "true")), END]
    mini_agent.run(mini_agent.access(stub), tmp_path)
    sent = [m["content"] for m in stub.bodies[1]["messages"] if m["role"] == "tool"]
    assert sent[:3] == [f"{text}\n" for text in texts]
    assert sent[3:] == ["exit code 3\nno\n", "exit code 0"]


@pytest.mark.parametrize("dollars", [0.5, 3.0], ids=["less", "as the default"])
def test_a_bound_that_cannot_be_kept_is_refused_before_a_model_is_paid(
    stub: ProviderStub, tmp_path: Path, dollars: float
) -> None:
    model = mini_agent.access(stub, name="scripted-1")
    run = mini_agent.run(model, tmp_path, choice=AgentChoice(max_cost_usd=dollars))
    assert run.code == "cost_unbounded"
    assert "SLIPGATE_MODEL_PRICES" in run.words
    assert not stub.requests


def test_an_unknown_price_is_told(stub: ProviderStub, tmp_path: Path) -> None:
    stub.answers = [END]
    run = mini_agent.run(mini_agent.access(stub, name="scripted-1"), tmp_path)
    assert run.code is None
    assert "price of the model is unknown" in "".join(run.result.warnings)
    assert run.log.count("price of the model is unknown") == 1


def test_a_price_of_ones_own_binds(stub: ProviderStub, tmp_path: Path) -> None:
    stub.answers = [Turn(commands=(f"echo {n}",)) for n in range(9)]
    prices = {"scripted-*": ModelPrice(input=100.0, output=0.0)}
    model = mini_agent.access(stub, name="scripted-1", prices=prices)
    run = mini_agent.run(model, tmp_path, choice=AgentChoice(max_cost_usd=0.25))
    assert run.code == "max_cost"
    assert len(stub.requests) == 3, "0.1 USD each"
    assert not run.result.warnings


def test_earlier_attempts_count(stub: ProviderStub, tmp_path: Path) -> None:
    stub.answers = [Turn(commands=(f"echo {chr(97 + n)}",)) for n in range(9)]
    choice = AgentChoice(max_turns=10, spent_turns=7)
    assert mini_agent.run(mini_agent.access(stub), tmp_path, choice=choice).code == "max_turns"
    assert len(stub.requests) == 3
    (tmp_path / "dear").mkdir()
    choice = AgentChoice(spent_cost_usd=3.0)
    run = mini_agent.run(mini_agent.access(stub), tmp_path / "dear", choice=choice)
    assert run.code == "max_cost"
    assert len(stub.requests) == 3


def test_a_repair_goes_on_with_a_long_conversation_that_is_shortened(
    stub: ProviderStub, tmp_path: Path
) -> None:
    def answer(turn: int, body: dict[str, Any]) -> Answer:
        if len(json.dumps(body["messages"])) > 20_000:
            return error(400, "This model's maximum context length is 8192 tokens.")
        ends_at = 40 if "Repair it." in json.dumps(body) else 14
        return END if turn >= ends_at else Turn(commands=(f"seq {turn} 900",))

    stub.is_forgetful, stub.answer = True, answer
    run = mini_agent.run(mini_agent.access(stub), tmp_path, prompts=("Do it.", "Repair it."))
    assert run.code is None, run.words
    repair = [json.dumps(body) for body in stub.bodies if "Repair it." in json.dumps(body)]
    assert len(repair) > 20
    assert all("Do it." in body for body in repair)
    assert "left out" in repair[-1]


def test_an_answer_without_its_usage_is_estimated(stub: ProviderStub, tmp_path: Path) -> None:
    stub.answers = [Turn(commands=("seq 1 4000",), usage={"prompt_tokens": 0}), END]
    run = mini_agent.run(mini_agent.access(stub), tmp_path)
    assert 100 < run.usage.input_tokens - 1000 < 1500, "of the first turn, which told nothing"
    assert run.usage.cost_usd > 1000 * 1.25e-6


def test_our_own_words_before_the_task_are_few(stub: ProviderStub, tmp_path: Path) -> None:
    """At about four characters a token; what is told of the task itself comes beside them."""
    stub.answers = [END]
    mini_agent.run(mini_agent.access(stub), tmp_path)
    (body,) = stub.bodies
    system, user = (str(message["content"]) for message in body["messages"])
    ours = system + user.removeprefix("Do it.") + json.dumps(body["tools"])
    assert len(ours) / 4 <= 450
