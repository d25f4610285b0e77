"""Small repositories of one ecosystem each, as files, and a host with some programs."""

from collections.abc import Mapping
from pathlib import Path

from snapshot.runner.validation.declared import declaring_texts, make_plan
from snapshot.runner.validation.plan import Host, Plan


def written(root: Path, files: Mapping[str, str]) -> Path:
    """A checkout with these files."""
    for name, text in files.items():
        file = root / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text)
    return root


def host(root: Path, *programs: str) -> Host:
    """A host with these programs and no others."""
    folder = root / "programs"
    folder.mkdir(parents=True)
    for program in programs:
        (folder / program).write_text("#!/bin/sh\n")
        (folder / program).chmod(0o755)
    return Host(home=root / "home", path=str(folder))


def planned(
    root: Path, files: Mapping[str, str], *programs: str, changed: tuple[str, ...] = ()
) -> Plan:
    """The plan of a checkout with these files on a host with these programs."""
    checkout = written(root / "checkout", {"README.md": "", **files})
    texts = declaring_texts(checkout)
    return make_plan(checkout, host(root, *programs), texts=texts, changed=changed)


def setup_lines(plan: Plan, home: Path) -> list[str]:
    """The set-up's commands without those that only fetch ahead, the home as `~`."""
    return [step.line.replace(str(home), "~") for step in plan.steps if not step.is_prefetch]


def check_lines(plan: Plan) -> list[str]:
    """The checks of the whole, or of the targets."""
    if plan.checks is not None:
        return [check.line for check in plan.checks]
    return [check.line for target in plan.targets for check in target.checks]
