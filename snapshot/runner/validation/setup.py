"""Installs a checkout's dependencies before an agent begins, so that it can run the tests."""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Final

from ..agent.command import Runner
from ..reporting.events import Receipt
from ..time_budget import Budget
from .declared import make_plan
from .plan import Host
from .session import Session

PART_OF_AGENT: Final = 0.25
"""Of the agent's time, at most."""
LONGEST_SECONDS: Final = 900.0


def prepare(
    runner: Runner,
    checkout: Path,
    environ: dict[str, str],
    budget: Budget,
    on_receipt: Callable[[Receipt], None],
    *,
    texts: Mapping[str, str],
) -> dict[str, str]:
    """Run the set-up of a checkout that no command has touched; `texts` are the declaring files of
    the base commit. Returns the environ for the agent's commands.

    A step that fails ends nothing: those of other ecosystems go on, and the agent begins.
    """
    ends_with = budget.agent_seconds - min(PART_OF_AGENT * budget.agent_seconds, LONGEST_SECONDS)
    host = Host(home=Path(environ["HOME"]), path=environ["PATH"])
    plan = make_plan(checkout, host, texts=texts)
    session = Session(
        runner=runner,
        checkout=checkout,
        environ=plan.variables(environ),
        plan=plan,
        seconds_left=lambda: max(0.0, budget.agent_seconds - ends_with),
    )
    if plan.setup is not None:
        session.set_up(plan.setup, on_receipt)
    else:
        for part in plan.parts:
            if not part.missing:
                session.set_up(part.setup, on_receipt)
    return session.environ
