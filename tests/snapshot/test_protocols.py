"""The protocols of the models' providers, spoken to one that refuses what the real ones refuse."""

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from snapshot.runner.configuration import AgentChoice, ModelAccess
from tests.snapshot import mini_agent
from tests.snapshot.http_stub import Response
from tests.snapshot.model_stub import DONE
from tests.snapshot.provider_stub import STREAM, ProviderStub, Turn, sse

pytestmark = [
    pytest.mark.filterwarnings("ignore:The model:DeprecationWarning"),
    pytest.mark.filterwarnings("ignore:Using Claude:UserWarning"),
]
WORK = [Turn(text="First.", commands=("echo 1 > a", "cat a")), Turn(commands=(DONE,))]
PROTOCOLS: dict[str, dict[str, object]] = {
    "openai chat": {},
    "openai responses": {"api": "responses"},
    "google": {"provider": "google"},
    "openrouter": {"provider": "openrouter", "name": "anthropic/claude-sonnet-4.5"},
    "anthropic": {"provider": "anthropic"},
}


@pytest.fixture
def stub() -> Iterator[ProviderStub]:
    """A provider."""
    stub = ProviderStub()
    yield stub
    stub.http.stop()


@pytest.fixture(params=list(PROTOCOLS.values()), ids=list(PROTOCOLS))
def model(request: pytest.FixtureRequest, stub: ProviderStub) -> ModelAccess:
    """The provider as a model, in each protocol."""
    return mini_agent.access(stub, **request.param)


@pytest.mark.parametrize("streams", [True, False], ids=["streams", "does not stream"])
def test_a_whole_answer_goes_back_at_the_next_turn(
    stub: ProviderStub, model: ModelAccess, tmp_path: Path, *, streams: bool
) -> None:
    stub.streams, stub.answers = streams, list(WORK)
    run = mini_agent.run(model, tmp_path)
    assert run.code is None, run.words
    assert run.result.summary == "Fixed it."
    assert len(stub.requests) == 2
    assert stub.expected, "the first answer had something that must come back"
    assert (run.usage.input_tokens, run.usage.output_tokens, run.usage.turns) == (2000, 20, 2)
    assert run.usage.cost_usd > 0
    assert (run.directory / "a").read_text() == "1\n"


def test_a_repair_goes_on_with_the_conversation(
    stub: ProviderStub, model: ModelAccess, tmp_path: Path
) -> None:
    stub.answers = [*WORK, *WORK]
    run = mini_agent.run(model, tmp_path, prompts=("Do it.", "Repair it."))
    assert run.code is None, run.words
    last = json.dumps(stub.bodies[-1])
    assert last.index("Do it.") < last.index("your work was taken") < last.index("Repair it.")


def test_a_provider_without_its_own_parts_refuses(stub: ProviderStub, tmp_path: Path) -> None:
    stub.answers = list(WORK)
    stub.expected.append({"type": "what nobody has"})
    run = mini_agent.run(mini_agent.access(stub), tmp_path)
    assert run.code == "model_refused_request", "the stub is strict"
    assert "a part of an earlier answer is missing" in run.words


EFFORTS: dict[str, tuple[dict[str, object], dict[str, object]]] = {
    "openai chat": ({}, {"reasoning_effort": "high"}),
    "openai responses": ({"api": "responses"}, {"reasoning": {"effort": "high"}}),
    "google": ({"provider": "google"}, {"reasoning_effort": "high"}),
    "openrouter": ({"provider": "openrouter"}, {"reasoning": {"effort": "high"}}),
    "anthropic with a budget": (
        {"provider": "anthropic"},
        {"thinking": {"type": "enabled", "budget_tokens": 12_000}},
    ),
    "anthropic with an effort": (
        {"provider": "anthropic", "name": "claude-opus-4-5"},
        {"output_config": {"effort": "high"}},
    ),
    "anthropic that adapts": (
        {"provider": "anthropic", "name": "claude-opus-4-7"},
        {"output_config": {"effort": "high"}, "thinking": {"type": "adaptive"}},
    ),
}


@pytest.mark.parametrize(("fields", "sent"), EFFORTS.values(), ids=EFFORTS.keys())
def test_the_effort_is_sent_as_each_provider_takes_it_and_left_out_where_it_is_refused(
    stub: ProviderStub, tmp_path: Path, fields: dict[str, object], sent: dict[str, object]
) -> None:
    stub.answers = [Turn(commands=(DONE,))]
    (tmp_path / "taken").mkdir()
    taken = mini_agent.run(
        mini_agent.access(stub, **fields), tmp_path / "taken", choice=AgentChoice(effort="high")
    )
    assert taken.code is None, taken.words
    assert sent.items() <= stub.bodies[0].items()
    parameter = next(iter(sent))
    stub.refuses = {f'"{parameter}"': f"Unsupported parameter: '{parameter}' with this model"}
    stub.requests.clear()
    stub.expected.clear()
    (tmp_path / "refused").mkdir()
    refused = mini_agent.run(
        mini_agent.access(stub, **fields), tmp_path / "refused", choice=AgentChoice(effort="high")
    )
    assert refused.code is None, refused.words
    assert len(stub.requests) == 2
    assert not sent.keys() & stub.bodies[1].keys()
    assert "asked again without effort" in refused.log


def test_no_effort_is_sent_that_nobody_asked_for(
    stub: ProviderStub, model: ModelAccess, tmp_path: Path
) -> None:
    stub.answers = [Turn(commands=(DONE,))]
    assert mini_agent.run(model, tmp_path).code is None
    assert not stub.bodies[0].keys() & {"reasoning_effort", "reasoning", "thinking"}


@pytest.mark.parametrize(
    ("fields", "points"),
    [
        ({"provider": "anthropic"}, 3),
        ({"provider": "openrouter", "name": "anthropic/claude-sonnet-4.5"}, 3),
        ({"provider": "openrouter", "name": "openai/gpt-5"}, 0),
        ({}, 0),
    ],
    ids=["anthropic", "anthropic through openrouter", "openai through openrouter", "openai"],
)
def test_cache_points_are_set_where_a_provider_needs_them(
    stub: ProviderStub, tmp_path: Path, fields: dict[str, object], points: int
) -> None:
    stub.answers = [Turn(commands=("echo 1",)), Turn(commands=("echo 2",)), Turn(commands=(DONE,))]
    assert mini_agent.run(mini_agent.access(stub, **fields), tmp_path).code is None
    last = stub.bodies[-1]
    assert json.dumps(last).count('"cache_control"') == points
    plain = [json.dumps(body.get("messages")) for body in stub.bodies]
    if not points:
        assert plain[1].startswith(plain[0][:-1]), "the prefix stays as it was"


def test_a_claude_that_answers_briefly_is_not_asked_for_more(
    stub: ProviderStub, tmp_path: Path
) -> None:
    stub.answers = [Turn(commands=(DONE,))]
    stub.refuses = {'"max_tokens": 32000': "max_tokens: 32000 > 8192, which is the maximum"}
    run = mini_agent.run(mini_agent.access(stub, provider="anthropic"), tmp_path)
    assert run.code is None, run.words
    assert stub.bodies[1]["max_tokens"] == 4096


def test_openrouter_is_asked_for_its_cost(stub: ProviderStub, tmp_path: Path) -> None:
    usage = {"prompt_tokens": 10, "completion_tokens": 1, "cost": 0.5}
    stub.answers = [Turn(commands=(DONE,), usage=usage)]
    model = mini_agent.access(stub, provider="openrouter", name="nobody/knows-it")
    run = mini_agent.run(model, tmp_path, choice=AgentChoice(max_cost_usd=0.2))
    assert stub.bodies[0]["usage"] == {"include": True}
    assert run.usage.cost_usd == 0.5
    assert not run.result.warnings


def test_responses_store_nothing(stub: ProviderStub, tmp_path: Path) -> None:
    stub.answers = list(WORK)
    mini_agent.run(mini_agent.access(stub, api="responses"), tmp_path)
    assert [body["store"] for body in stub.bodies] == [False, False]
    assert stub.bodies[0]["include"] == ["reasoning.encrypted_content"]


def test_a_model_that_cannot_encrypt_its_reasoning_works_without(
    stub: ProviderStub, tmp_path: Path
) -> None:
    stub.answers = [Turn(commands=(DONE,))]
    stub.refuses = {"encrypted_content": "Encrypted content is not supported with this model."}
    assert mini_agent.run(mini_agent.access(stub, api="responses"), tmp_path).code is None
    assert "include" not in stub.bodies[1]


@pytest.mark.parametrize(
    ("parameter", "words"),
    [
        ("stream_options", "Extra inputs are not permitted: stream_options"),
        ("stream", "stream not supported"),
        ("reasoning_content", "property 'reasoning_content' is unsupported"),
    ],
)
def test_what_a_compatible_server_refuses_is_left_out(
    stub: ProviderStub, tmp_path: Path, parameter: str, words: str
) -> None:
    stub.is_forgetful = True
    stub.answer = lambda turn, body: Turn(commands=("echo 1" if turn == 0 else DONE,))
    stub.refuses = {f'"{parameter}": {"true" if parameter == "stream" else ""}': words}
    run = mini_agent.run(mini_agent.access(stub), tmp_path)
    assert run.code is None, run.words
    assert "asked again without" in run.log


def test_calls_that_a_server_counts_all_as_the_first_are_kept_apart(
    stub: ProviderStub, tmp_path: Path
) -> None:
    calls = [
        {
            "index": 0,
            "id": "",
            "type": "function",
            "function": {"name": "bash", "arguments": json.dumps({"command": f"echo {n} > {n}"})},
        }
        for n in (1, 2)
    ]
    chunks = [
        {"choices": [{"index": 0, "delta": {"tool_calls": [{**call, "id": f"c{n}"}]}}]}
        for n, call in enumerate(calls)
    ]
    end = {"choices": [{"index": 0, "delta": {}, "finish_reason": "stop"}]}
    stub.answers = [
        Response(content=sse([*chunks, end]), headers=STREAM),
        Turn(commands=(DONE,)),
    ]
    run = mini_agent.run(mini_agent.access(stub), tmp_path)
    assert run.code is None, run.words
    assert sorted(path.name for path in run.directory.iterdir()) == ["1", "2"]


@pytest.mark.parametrize(
    ("base_url", "api", "is_responses"),
    [
        (None, None, True),
        ("https://api.openai.com/v1", None, True),
        ("http://127.0.0.1:9/v1", None, False),
        ("https://api.openai.com/v1", "chat", False),
        ("http://127.0.0.1:9/v1", "responses", True),
    ],
)
def test_responses_are_for_openais_own_models(
    stub: ProviderStub, base_url: str | None, api: str | None, *, is_responses: bool
) -> None:
    from snapshot.runner.agent.engine import has_responses  # noqa: PLC0415

    model = mini_agent.access(stub, base_url=base_url, api=api)
    assert has_responses(model) is is_responses


def test_other_providers_have_chat_completions(stub: ProviderStub) -> None:
    from snapshot.runner.agent.engine import has_responses  # noqa: PLC0415

    for provider in ("google", "openrouter"):
        assert not has_responses(mini_agent.access(stub, provider=provider, base_url=None))
