"""Heads of lanes, as the store would find them."""

from typing import Final, Literal

from gateway.store.records import Head

NOW: Final = 1_790_000_000_000


class Row(Head, frozen=True, kw_only=True):
    """A head of a lane."""

    endpoint_id: str = "ep_1"
    seq: int = 1
    task_id: str = "task_1"
    attempts: int = 0
    failures: int = 0
    project: str = "default"
    trigger: Literal["auto", "manual", "replay"] = "auto"
    body: str | None = None
    due_at: int = NOW
