"""The usage of the model: tokens, turns, and dollars."""

from collections.abc import Callable

import msgspec

from ..reporting.events import Usage


class Tokens(msgspec.Struct, frozen=True, kw_only=True):
    """Of one answer of the model."""

    input: int
    """Cached ones included."""
    output: int
    """Reasoning included."""
    cost_usd: float | None
    """None: the model's price is unknown."""


class Meter:
    """Totals of the attempt; continues where an earlier start of it ended."""

    def __init__(self, emit: Callable[[Usage], object], before: Usage | None = None) -> None:
        self._emit = emit
        self.total = before or Usage(input_tokens=0, output_tokens=0, cost_usd=0.0, turns=0)

    def count(self, tokens: Tokens, *, turns: int = 1) -> None:
        """Add one turn, or none to correct the tokens, and report the totals."""
        self.total = Usage(
            input_tokens=self.total.input_tokens + tokens.input,
            output_tokens=self.total.output_tokens + tokens.output,
            cost_usd=round(self.total.cost_usd + (tokens.cost_usd or 0.0), 6),
            turns=self.total.turns + turns,
        )
        self._emit(self.total)
