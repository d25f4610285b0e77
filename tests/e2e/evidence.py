"""The state of an installation in which a test has failed: no traceback shows its programs."""

from typing import Final

from gateway.cli.local.processes import Child
from tests.e2e import processes
from tests.e2e.installation import Installation

LINES: Final = 40
"""Of each program's log."""


def evidence(it: Installation) -> list[tuple[str, str]]:
    """Titles and texts: the state and the last lines of each program, and the work that is left."""
    logs = [(child.log.name, _shown(child)) for child in (it.gateway, *it.launchers)]
    return [*logs, ("unfinished work", _unfinished(it))]


def _shown(child: Child) -> str:
    writers = processes.writing(child.log)
    return f"exit code {child.exit_code}, processes {writers}\n{child.tail(LINES)}"


def _unfinished(it: Installation) -> str:
    try:
        return "\n".join(it.checks.unsettled()) or "none"
    except Exception as error:  # noqa: BLE001 - it must not take the place of the failure
        return f"cannot be read: {error}"
