"""The limits of an agent's turns and cost, over all attempts of its task."""

from typing import Final

from ..configuration import AgentChoice
from ..failure import Failure
from ..reporting.events import Usage

UNPRICED: Final = (
    "The price of the model is unknown: its cost is not in costUsd, and maxCostUsd did not bind. "
    "SLIPGATE_MODEL_PRICES can give it a price."
)


def check(choice: AgentChoice, spent: Usage) -> None:
    """Raise `max_turns` or `max_cost` if nothing is left for another turn of this attempt."""
    turns = choice.spent_turns + spent.turns
    if turns >= choice.max_turns:
        raise Failure("max_turns", f"the agent was not done after {turns} turns")
    check_cost(choice, spent)


def check_cost(choice: AgentChoice, spent: Usage) -> None:
    """Raise `max_cost` if no money is left."""
    if choice.spent_cost_usd + spent.cost_usd >= choice.cost_limit_usd:
        raise Failure("max_cost", f"the agent was not done at {choice.cost_limit_usd:g} USD")


def check_bound(choice: AgentChoice, *, is_priced: bool) -> None:
    """Raise `cost_unbounded` if somebody asked for a bound that cannot be kept; the default is
    nobody's wish."""
    if not is_priced and choice.max_cost_usd is not None:
        raise Failure(
            "cost_unbounded",
            f"the price of the model is unknown, so that {choice.max_cost_usd:g} USD cannot be "
            "kept: give its price in SLIPGATE_MODEL_PRICES, or leave out maxCostUsd",
        )
