"""The cost of recorded answers, against the providers' own price lists, worked out by hand."""

import pytest

from snapshot.runner.agent.prices import Prices, Protocol
from snapshot.runner.configuration import ModelAccess, ModelPrice

MILLION = 1_000_000
OPENAI = {
    "prompt_tokens": 2006,
    "completion_tokens": 300,
    "total_tokens": 2306,
    "prompt_tokens_details": {"cached_tokens": 1920, "audio_tokens": 0},
    "completion_tokens_details": {"reasoning_tokens": 0, "accepted_prediction_tokens": 0},
}
RESPONSES = {
    "input_tokens": 36_000,
    "input_tokens_details": {"cached_tokens": 32_000},
    "output_tokens": 1186,
    "output_tokens_details": {"reasoning_tokens": 1024},
    "total_tokens": 37_186,
}
ANTHROPIC = {
    "input_tokens": 50,
    "cache_read_input_tokens": 100_000,
    "cache_creation_input_tokens": 248,
    "cache_creation": {"ephemeral_5m_input_tokens": 148, "ephemeral_1h_input_tokens": 100},
    "output_tokens": 503,
    "service_tier": "standard",
}
OPENROUTER = {
    "completion_tokens": 2,
    "completion_tokens_details": {"reasoning_tokens": 0},
    "cost": 0.95,
    "cost_details": {"upstream_inference_cost": 19},
    "prompt_tokens": 194,
    "prompt_tokens_details": {"cached_tokens": 0, "cache_write_tokens": 100, "audio_tokens": 0},
    "total_tokens": 196,
}
DEEPSEEK = {
    "prompt_tokens": 10_000,
    "completion_tokens": 500,
    "total_tokens": 10_500,
    "prompt_cache_hit_tokens": 8_000,
    "prompt_cache_miss_tokens": 2_000,
    "prompt_tokens_details": {"cached_tokens": 8_000},
}
GIVEN = {
    "ours-*": ModelPrice(input=2.0, output=4.0, cache_read=0.5),
    "google/*": ModelPrice(input=1.0, output=1.0),
}


def _without(usage: dict[str, object], *names: str) -> dict[str, object]:
    return {name: value for name, value in usage.items() if name not in names}


ANSWERS: dict[str, tuple[dict[str, object], Protocol, object, float]] = {
    "openai chat, cached": (
        {"name": "gpt-4o"},
        "chat",
        OPENAI,
        (86 * 2.50 + 1920 * 1.25 + 300 * 10) / MILLION,
    ),
    "openai responses, cached and reasoning": (
        {"name": "gpt-5"},
        "responses",
        RESPONSES,
        (4000 * 1.25 + 32_000 * 0.125 + 1186 * 10) / MILLION,
    ),
    "anthropic, read and written": (
        {"provider": "anthropic", "name": "claude-sonnet-4-5"},
        "messages",
        ANTHROPIC,
        (50 * 3 + 100_000 * 0.30 + 148 * 3.75 + 100 * 6 + 503 * 15) / MILLION,
    ),
    "anthropic, past 200,000 tokens": (
        {"provider": "anthropic", "name": "claude-sonnet-4-5"},
        "messages",
        {"input_tokens": 250_000, "output_tokens": 1000},
        (250_000 * 6 + 1000 * 22.5) / MILLION,
    ),
    "google, whose total alone has the reasoning": (
        {"provider": "google", "name": "gemini-3-pro-preview"},
        "chat",
        {"prompt_tokens": 1000, "completion_tokens": 12, "total_tokens": 1512},
        (1000 * 2 + 512 * 12) / MILLION,
    ),
    "xai, whose reasoning is beside its output": (
        {"name": "grok-4", "base_url": "https://api.x.ai/v1"},
        "chat",
        {
            "prompt_tokens": 32,
            "completion_tokens": 9,
            "total_tokens": 135,
            "prompt_tokens_details": {"text_tokens": 32, "cached_tokens": 6},
            "completion_tokens_details": {"reasoning_tokens": 94},
        },
        (26 * 3 + 6 * 0.75 + 103 * 15) / MILLION,
    ),
    "openrouter's own": (
        {"provider": "openrouter", "name": "openai/gpt-5"},
        "chat",
        OPENROUTER,
        0.95,
    ),
    "openrouter with a key of one's own": (
        {"provider": "openrouter", "name": "nobody/knows-it"},
        "chat",
        {**OPENROUTER, "is_byok": True},
        19.95,
    ),
    "openrouter's list, where it tells nothing": (
        {"provider": "openrouter", "name": "anthropic/claude-sonnet-4.5"},
        "chat",
        _without(OPENROUTER, "cost", "cost_details"),
        (94 * 3 + 100 * 3.75 + 2 * 15) / MILLION,
    ),
    "given, cached": (
        {"name": "ours-7b", "prices": GIVEN},
        "chat",
        DEEPSEEK,
        (2000 * 2 + 8000 * 0.5 + 500 * 4) / MILLION,
    ),
    "given before the list, by provider": (
        {"provider": "google", "name": "gemini-3-pro-preview", "prices": GIVEN},
        "chat",
        {"prompt_tokens": 1000, "completion_tokens": 1000, "total_tokens": 2000},
        2000 / MILLION,
    ),
    "cached tokens beside the details": (
        {"name": "ours-7b", "prices": GIVEN},
        "chat",
        {"prompt_tokens": 1000, "completion_tokens": 10, "cached_tokens": 900},
        (100 * 2 + 900 * 0.5 + 10 * 4) / MILLION,
    ),
}


def access(fields: dict[str, object]) -> ModelAccess:
    """A model with these fields."""
    everything = {"provider": "openai", "key": None, "base_url": None, **fields}
    return ModelAccess(**everything)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("fields", "protocol", "usage", "dollars"), ANSWERS.values(), ids=ANSWERS.keys()
)
def test_an_answer_costs_what_its_provider_takes(
    fields: dict[str, object], protocol: Protocol, usage: object, dollars: float
) -> None:
    cost = Prices(access(fields)).tokens(usage, protocol).cost_usd
    assert cost == pytest.approx(dollars, rel=1e-6)


@pytest.mark.parametrize(
    "usage",
    [
        None,
        5,
        [],
        {},
        {"prompt_tokens": "many", "completion_tokens": None},
        {"prompt_tokens": -5, "completion_tokens": 1e300},
        {"prompt_tokens": True, "prompt_tokens_details": [1]},
        {"prompt_tokens": 10, "prompt_tokens_details": {"cached_tokens": 900}},
        {"input_tokens": 10, "cache_read_input_tokens": {}},
        {"prompt_tokens": 1, "completion_tokens": 1, "cost": "free"},
        {"prompt_tokens": 1, "completion_tokens": 1, "cost": -1},
    ],
    ids=str,
)
@pytest.mark.parametrize("protocol", ["chat", "responses", "messages"])
@pytest.mark.parametrize("provider", ["openai", "openrouter"])
def test_numbers_that_are_none_cost_little(
    provider: str, protocol: Protocol, usage: object
) -> None:
    name = "gpt-5" if provider == "openai" else "openai/gpt-5"
    tokens = Prices(access({"provider": provider, "name": name})).tokens(usage, protocol)
    assert 0 <= tokens.input <= 1000
    assert 0 <= tokens.output <= 1000
    assert tokens.cost_usd is not None
    assert 0 <= tokens.cost_usd < 0.01


@pytest.mark.parametrize(
    ("fields", "is_known"),
    [
        ({"name": "gpt-5"}, True),
        ({"name": "gpt-5", "base_url": "http://127.0.0.1:8000/v1"}, True),
        ({"name": "scripted-1"}, False),
        ({"name": "ours-7b", "prices": GIVEN}, True),
        ({"name": "theirs-7b", "prices": GIVEN}, False),
        ({"name": "deepseek-chat", "base_url": "https://api.deepseek.com"}, True),
        ({"name": "nobody/knows-it", "provider": "openrouter"}, True),
    ],
    ids=str,
)
def test_a_price_is_known_or_not_before_anything_is_paid(
    fields: dict[str, object], *, is_known: bool
) -> None:
    assert Prices(access(fields)).is_known is is_known


def test_an_unknown_price_is_no_price_of_zero() -> None:
    assert Prices(access({"name": "scripted-1"})).tokens(OPENAI, "chat").cost_usd is None


def test_the_size_of_a_context_is_in_the_list() -> None:
    assert Prices(access({"name": "gpt-4o"})).context_tokens == 128_000
    assert Prices(access({"name": "scripted-1"})).context_tokens is None
