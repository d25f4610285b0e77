"""The plan of a checkout: what the repository itself declares wins over the table of ecosystems.

The task's own checks come first, then `.slipgate.yml`, the steps of its GitHub workflows, the
commands in AGENTS.md, and last the table.
"""

from collections.abc import Collection, Mapping, Sequence
from pathlib import Path
from typing import Final

import msgspec

from .. import files
from . import instructions, native, settings, targets, workflows
from .plan import Argv, Command, Host, Plan
from .python import tool_steps
from .tools import is_named_test, programs

LARGEST_TEXT_BYTES: Final = 256 * 1024
PYTHON_TOOLS: Final = frozenset({"tox", "nox", "hatch", "poetry", "pdm", "uv", "pre-commit"})
"""Programs that are installed if a check calls them: Python's registry has them."""


def make_plan(
    checkout: Path,
    host: Host,
    *,
    texts: Mapping[str, str],
    task: Sequence[Argv] | None = None,
    changed: Collection[str] = (),
) -> Plan:
    """The plan; `texts` are the declaring files of the base commit, which no agent has changed."""
    plan = Plan(targets=targets.find(checkout, host, changed))
    own, mistakes = _settings(texts)
    plan = msgspec.structs.replace(
        plan, setup=own.setup, environ=own.environ, tools=own.tools, mistakes=mistakes
    )
    if task is not None:
        explicit = tuple(Command(argv=tuple(argv), must_count=False) for argv in task)
        return _with_checks(plan, host, explicit, is_complete=True)
    if own.checks is not None:
        return _with_checks(plan, host, own.checks, is_complete=True)
    steps = workflows.read(texts)
    declared = steps.tests or instructions.checks(_first(texts, instructions.NAMES))
    if not declared:
        return plan
    plan = _with_checks(plan, host, declared, is_complete=False)
    return msgspec.structs.replace(
        plan,
        more_setup=(*plan.more_setup, *steps.builds),
        replaced=native.PROGRAMS if workflows.configures(steps.builds) else frozenset(),
    )


def planned_checks(
    checkout: Path, environ: Mapping[str, str], texts: Mapping[str, str]
) -> tuple[str, ...]:
    """The lines of the checks of validation, for the agent; `texts` as in `make_plan`."""
    host = Host(home=Path(environ["HOME"]), path=environ["PATH"])
    plan = make_plan(checkout, host, texts=texts)
    checks = plan.checks or tuple(each for target in plan.targets for each in target.checks)
    return tuple(check.line for check in checks)


def declaring_texts(checkout: Path) -> dict[str, str]:
    """The declaring files as they lie in a checkout that no agent has changed."""
    folder = checkout / workflows.FOLDER
    inner = (
        sorted(folder.glob("*.y*ml"))[: workflows.MOST_FILES] if files.is_directory(folder) else []
    )
    names = (*settings.NAMES, *instructions.NAMES)
    paths = [checkout / name for name in names] + inner
    texts = {
        str(path.relative_to(checkout)): files.read(path, most=LARGEST_TEXT_BYTES) for path in paths
    }
    return {path: text.decode(errors="replace") for path, text in texts.items() if text}


def is_declaring(path: str) -> bool:
    """True for the path of a file that may declare checks."""
    return path in {*settings.NAMES, *instructions.NAMES} or workflows.is_workflow(path)


def _settings(texts: Mapping[str, str]) -> tuple[settings.Declared, tuple[str, ...]]:
    try:
        return settings.read(_first(texts, settings.NAMES)), ()
    except settings.Mistake as mistake:
        return settings.Declared(), (str(mistake),)


def _first(texts: Mapping[str, str], names: Sequence[str]) -> str:
    return next((texts[name] for name in names if name in texts), "")


def _with_checks(plan: Plan, host: Host, checks: Sequence[Command], *, is_complete: bool) -> Plan:
    """A test tool that is called by name is judged by its own words, whoever declared it."""
    judged = tuple(
        msgspec.structs.replace(
            check, must_count=not is_complete or is_named_test(check.plain_line)
        )
        for check in checks
    )
    needed = dict.fromkeys(name for check in checks for name in programs(check.plain_line))
    tools = (argv for name in needed if name in PYTHON_TOOLS for argv in tool_steps(host, name))
    return msgspec.structs.replace(
        plan,
        checks=judged,
        is_complete=is_complete,
        more_setup=tuple(Command(argv=argv) for argv in tools),
    )
