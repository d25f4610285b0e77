"""The set-up step: the dependencies of the agent's checkout, installed before the agent begins."""

from collections.abc import Sequence

from ..failure import Failure
from ..reporting.events import Receipt
from ..repository import starting_state
from ..repository.starting_state import StartingState
from ..validation.setup import prepare
from .context import StepContext


def set_up(
    context: StepContext, states: Sequence[StartingState], environ: dict[str, str]
) -> dict[str, str]:
    """Install, and settle the checkout's starting state; returns the environ for the agent.

    A set-up that fails ends nothing: the agent may need none of it.
    """
    installed = prepare(
        context.runner,
        states[0].work_tree,
        environ,
        context.services.budget,
        lambda receipt: _report(context, receipt),
    )
    for state in states:
        try:
            starting_state.settle(context.git, state)
        except (Failure, OSError) as exc:
            context.log.write(f"The set-up of {state.path or 'the checkout'}: {exc}\n")
    return installed


def _report(context: StepContext, receipt: Receipt) -> None:
    ended = "" if receipt.status == "passed" else f": {receipt.status.replace('_', ' ')}"
    tail = receipt.output_tail if ended else ""
    context.log.write(f"$ {receipt.command}\n{tail}[{receipt.status}]\n")
    context.log.flush()
    context.enter("setup", f"{receipt.command}{ended}")
