"""The set-up step: the dependencies of the agent's checkout, installed before the agent begins."""

import traceback
from collections.abc import Callable, Mapping, Sequence

from ..failure import Failure
from ..reporting.events import Receipt
from ..repository import starting_state
from ..repository.exclusions import SETUP, cut
from ..repository.starting_state import StartingState
from ..stop import Stopped
from ..validation.setup import prepare
from .context import StepContext


def set_up(
    context: StepContext,
    states: Sequence[StartingState],
    environ: dict[str, str],
    declaring: Callable[[], Mapping[str, str]],
) -> tuple[dict[str, str], tuple[str, ...]]:
    """Install, and settle the checkout's starting state; returns the environ for the agent, and a
    sentence for each step that did not pass; `declaring` reads the files that declare it.

    A set-up that fails ends nothing: the agent may need none of it.
    """
    problems: list[str] = []
    may_have_written = False

    def on_receipt(receipt: Receipt) -> None:
        nonlocal may_have_written
        may_have_written |= receipt.status != "not_run"
        _report(context, receipt)
        if receipt.status != "passed":
            problems.append(_problem(receipt))

    try:
        environ = prepare(
            context.runner,
            states[0].work_tree,
            environ,
            context.services.budget,
            on_receipt,
            texts=declaring(),
        )
    except Stopped:
        raise
    except Exception as exc:  # noqa: BLE001 - the repository's texts: the agent may need none
        traceback.print_exc()
        may_have_written = True
        problems.append(cut(f"{SETUP}it could not be planned: {type(exc).__name__}."))
    for state in states if may_have_written else ():
        try:
            starting_state.settle(context.git, state)
        except (Failure, OSError) as exc:
            context.log.write(f"The set-up of {state.path or 'the checkout'}: {exc}\n")
    return environ, tuple(problems)


def _problem(receipt: Receipt) -> str:
    ended = "ran out of time" if receipt.status == "timed_out" else "did not pass"
    code = f" (exit code {receipt.exit_code})" if receipt.exit_code is not None else ""
    reason = f": {receipt.reason}" if receipt.reason and not code else code
    return cut(f"{SETUP}`{receipt.command}` {ended}{reason}.")


def _report(context: StepContext, receipt: Receipt) -> None:
    ended = "" if receipt.status == "passed" else f": {receipt.status.replace('_', ' ')}"
    tail = receipt.output_tail if ended else ""
    context.log.write(f"$ {receipt.command}\n{tail}[{receipt.status}]\n")
    context.log.flush()
    context.enter("setup", f"{receipt.command}{ended}")
