"""The labels of every sandbox of ours: whose it is, and what it is for."""

from collections.abc import Mapping
from typing import Final

INSTANCE: Final = "slipgate-instance"
TASK: Final = "slipgate-task"
ATTEMPT: Final = "slipgate-attempt"
LABELS: Final = frozenset({INSTANCE, TASK, ATTEMPT})
_DIGITS: Final = 7


def labels(instance_id: str, task_id: str, attempt: int | str) -> dict[str, str]:
    """What a sandbox is made with, and what is compared before it is destroyed."""
    return {INSTANCE: instance_id, TASK: task_id, ATTEMPT: str(attempt)}


def owner(found: Mapping[str, str]) -> tuple[str, int]:
    """The task and the attempt that labels name; those of nobody are ("", 0)."""
    text = found.get(ATTEMPT, "")
    is_number = text.isascii() and text.isdigit() and len(text) <= _DIGITS
    return found.get(TASK, ""), int(text) if is_number else 0
