"""Heads of lanes, as the store would find them."""

from dataclasses import dataclass
from typing import Final, Literal

NOW: Final = 1_790_000_000_000


@dataclass(frozen=True, kw_only=True)
class Row:
    """A head of a lane."""

    endpoint_id: str = "ep_1"
    seq: int = 1
    task_id: str = "task_1"
    attempts: int = 0
    failures: int = 0
    project: str = "default"
    trigger: Literal["auto", "manual", "replay"] = "auto"
    repeats: int = 0
    body: str | None = None
    due_at: int = NOW
    rate_per_second: float | None = None
