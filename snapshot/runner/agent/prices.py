"""The price of an answer: told by the provider, given by the operator, or of the price list.

The list is genai-prices', as it came with the image; it also reads the usage of an answer.
"""

from collections.abc import Mapping
from fnmatch import fnmatchcase
from functools import cached_property
from typing import TYPE_CHECKING, Final, Literal

from ..configuration import ModelAccess, ModelPrice
from .chat import mapping
from .usage import Tokens

if TYPE_CHECKING:
    from genai_prices import Usage
    from genai_prices.types import ModelInfo, Provider

LARGEST_COUNT: Final = 10**9
"""No model takes as many tokens in one call."""
CHARACTERS_PER_TOKEN: Final = 4
LARGEST_COST_USD: Final = 10_000.0
Protocol = Literal["chat", "responses", "messages"]
_EXTRACTORS: Final[Mapping[Protocol, tuple[str, str]]] = {
    "chat": ("openai", "chat"),
    "responses": ("openai", "responses"),
    "messages": ("anthropic", "default"),
}
"""Protocol → provider and flavour of the list's extractor; chat completions are all alike."""


class Prices:
    """Of one model."""

    def __init__(self, model: ModelAccess) -> None:
        self._model = model

    @property
    def is_known(self) -> bool:
        """True if the cost of an answer will be known."""
        return self._is_reported or self._given is not None or self._listed is not None

    @property
    def _is_reported(self) -> bool:
        """True if answers name their cost, as those of OpenRouter do."""
        return self._model.provider == "openrouter"

    @property
    def context_tokens(self) -> int | None:
        """The size of the model's context, if the list has it."""
        return self._listed[1].context_window if self._listed else None

    def tokens(self, usage: object, protocol: Protocol) -> Tokens:
        """Tokens and cost of an answer with this usage, which may be garbage."""
        counted = _counts(mapping(usage))
        if protocol == "chat":
            counted = _with_hidden_output(counted)
        read = _read(counted, protocol)
        cost = _reported_cost(mapping(usage)) if self._is_reported else None
        return Tokens(
            input=_total(read, "input_tokens"),
            output=_total(read, "output_tokens"),
            cost_usd=self._cost(read) if cost is None else cost,
        )

    def estimate(self, *, sent: int, received: int) -> Tokens:
        """Tokens and cost of an answer whose usage is not told, from its characters."""
        prompt, completion = sent // CHARACTERS_PER_TOKEN, received // CHARACTERS_PER_TOKEN
        guessed = {"prompt_tokens": prompt, "completion_tokens": completion}
        return self.tokens(guessed, "chat")

    def _cost(self, usage: "Usage") -> float | None:
        if self._given is not None:
            return _given_cost(self._given, usage)
        if self._listed is None:
            return None
        provider, model = self._listed
        return float(model.calc_price(usage, provider).total_price)

    @cached_property
    def _given(self) -> ModelPrice | None:
        names = (self._model.name, f"{self._model.provider}/{self._model.name}")
        for pattern, price in self._model.prices.items():
            if any(fnmatchcase(name, pattern) for name in names):
                return price
        return None

    @cached_property
    def _listed(self) -> "tuple[Provider, ModelInfo] | None":
        from genai_prices.data_snapshot import get_snapshot  # noqa: PLC0415 - a big table

        listed, name, url = get_snapshot(), self._model.name, self._model.base_url
        for provider_id, address in ((None, url), (self._model.provider, None)):
            try:
                if address or provider_id:
                    return listed.find_provider_model(name, None, provider_id, address)
            except LookupError:
                continue
        return None


def _counts(usage: Mapping[str, object]) -> dict[str, object]:
    """The usage with nothing but possible numbers of tokens."""
    counts: dict[str, object] = {}
    for name, value in usage.items():
        if isinstance(value, dict):
            counts[name] = _counts(value)
        elif isinstance(value, int | float) and not isinstance(value, bool):
            counts[name] = int(value) if 0 <= value <= LARGEST_COUNT else 0
    return counts


def _with_hidden_output(usage: dict[str, object]) -> dict[str, object]:
    """The usage with output that only the total has: Google's and xAI's reasoning."""
    taken, given = _count(usage, "prompt_tokens"), _count(usage, "completion_tokens")
    total = _count(usage, "total_tokens")
    cached = {"cached_tokens": _count(usage, "cached_tokens")}
    details = {**cached, **mapping(usage.get("prompt_tokens_details"))}
    output = {"prompt_tokens": taken, "completion_tokens": max(given, total - taken)}
    return {**usage, **output, "prompt_tokens_details": details}


def _read(usage: dict[str, object], protocol: Protocol) -> "Usage":
    from genai_prices import Usage  # noqa: PLC0415 - a big table, as above
    from genai_prices.data_snapshot import get_snapshot  # noqa: PLC0415

    provider_id, flavour = _EXTRACTORS[protocol]
    provider = get_snapshot().find_provider(None, provider_id, None)
    needed = {"input_tokens": 0, "output_tokens": 0} if protocol != "chat" else {}
    _, read = provider.extract_usage({"usage": {**needed, **usage}}, api_flavor=flavour)
    cached = _total(read, "cache_read_tokens") + _total(read, "cache_write_tokens")
    if cached <= _total(read, "input_tokens"):
        return read
    totals = (_total(read, "input_tokens"), _total(read, "output_tokens"))
    return Usage(input_tokens=totals[0], output_tokens=totals[1])


def _reported_cost(usage: Mapping[str, object]) -> float | None:
    """The cost in OpenRouter's usage; with a key of one's own its upstream is paid beside it."""
    upstream = mapping(usage.get("cost_details")).get("upstream_inference_cost")
    parts = (usage.get("cost"), upstream if usage.get("is_byok") is True else 0)
    if any(isinstance(part, bool) or not isinstance(part, int | float) for part in parts):
        return None
    cost = sum(float(part) for part in parts if isinstance(part, int | float))
    return cost if 0 <= cost <= LARGEST_COST_USD else None


def _given_cost(price: ModelPrice, usage: "Usage") -> float:
    reads, writes = _total(usage, "cache_read_tokens"), _total(usage, "cache_write_tokens")
    read = price.input if price.cache_read is None else price.cache_read
    write = price.input if price.cache_write is None else price.cache_write
    fresh = _total(usage, "input_tokens") - reads - writes
    output = _total(usage, "output_tokens") * price.output
    return (fresh * price.input + reads * read + writes * write + output) / 1e6


def _total(usage: "Usage", name: str) -> int:
    return int(usage.reported_value(name))


def _count(usage: Mapping[str, object], name: str) -> int:
    value = usage.get(name)
    return value if isinstance(value, int) else 0
