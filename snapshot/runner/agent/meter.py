"""Counts what the model took: tokens, turns, dollars."""

from collections.abc import Callable
from dataclasses import dataclass

from ..reporting.events import Usage


@dataclass(frozen=True, kw_only=True, slots=True)
class Tokens:
    """What one answer of the model took, and its price in dollars if it is known."""

    input: int
    output: int
    cost_usd: float | None


class Meter:
    """Totals of the attempt; begins where an earlier start of it ended."""

    def __init__(self, emit: Callable[[Usage], object], before: Usage | None = None) -> None:
        self._emit = emit
        self.total = before or Usage(input_tokens=0, output_tokens=0, cost_usd=0.0, turns=0)
        self.is_price_known = True

    def count(self, tokens: Tokens) -> None:
        """Add one turn and tell the totals."""
        if tokens.cost_usd is None:
            self.is_price_known = False
        self.total = Usage(
            input_tokens=self.total.input_tokens + tokens.input,
            output_tokens=self.total.output_tokens + tokens.output,
            cost_usd=round(self.total.cost_usd + (tokens.cost_usd or 0.0), 6),
            turns=self.total.turns + 1,
        )
        self._emit(self.total)
