"""Tasks, their events and their results."""

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any, Final

from gateway.wire.tasks import OnStall
from slipgate.declaration import listing, operation
from slipgate.types import (
    Agent,
    Event,
    Explanation,
    LogChunk,
    Page,
    Receipts,
    StreamToken,
    Task,
    Timeouts,
)

_TASK: Final = "/v1/tasks/{task_id}"


class Tasks:
    """Calls about tasks. A `reason` is kept in the audit log, `dry_run` changes nothing."""

    @operation("POST", "/v1/tasks")
    def create_task(
        self,
        *,
        prompt: str,
        repo_url: str | None = None,
        continue_of: str | None = None,
        title: str | None = None,
        base_branch: str | None = None,
        branch_name: str | None = None,
        snapshot: str | None = None,
        provider: str | None = None,
        agent: Agent | Mapping[str, Any] | None = None,
        validate: Sequence[Sequence[str]] | None = None,
        env: Mapping[str, str] | None = None,
        timeouts: Timeouts | Mapping[str, Any] | None = None,
        max_attempts: int | None = None,
        on_stall: OnStall | None = None,
        priority: int | None = None,
        not_before: datetime | None = None,
        concurrency_key: str | None = None,
        keep_sandbox: bool | None = None,
        callback_url: str | None = None,
        metadata: Mapping[str, str] | None = None,
        idempotency_key: str | None = None,
        traceparent: str | None = None,
    ) -> Task:
        """Hands over a task; from the answer on it is never lost. Without an `idempotency_key` the
        call has one of its own, so that its retries make one task."""

    @listing("/v1/tasks")
    def tasks(
        self,
        *,
        project: str | None = None,
        status: str | Iterable[str] | None = None,
        flag: str | None = None,
        error_code: str | None = None,
        provider: str | None = None,
        snapshot: str | None = None,
        launcher_id: str | None = None,
        repo_url: str | None = None,
        metadata: Mapping[str, str] | None = None,
        created_after: datetime | str | None = None,
        created_before: datetime | str | None = None,
        limit: int | None = None,
        cursor: str | None = None,
    ) -> Page[Task]:
        """Tasks, newest first, that meet all conditions; `limit` is the size of a page."""

    @operation("GET", _TASK)
    def get_task(self, task_id: str, *, include: str | Iterable[str] | None = None) -> Task:
        """A task as it stands; `include` adds `attempts` and `deliveries`."""

    @operation("GET", f"{_TASK}/explain")
    def explain_task(self, task_id: str) -> Explanation:
        """The reason why a task is where it is, and what happens next."""

    @operation("POST", f"{_TASK}/cancel")
    def cancel_task(
        self,
        task_id: str,
        *,
        reason: str | None = None,
        dry_run: bool = False,
        idempotency_key: str | None = None,
    ) -> Task:
        """Asks a task to stop; what is done by then is done."""

    @operation("POST", f"{_TASK}/retry")
    def retry_task(
        self,
        task_id: str,
        *,
        reason: str | None = None,
        dry_run: bool = False,
        idempotency_key: str | None = None,
    ) -> Task:
        """Opens the next attempt of a task that has ended."""

    @operation("POST", f"{_TASK}/attempts/{{attempt}}/release")
    def release_sandbox(
        self, task_id: str, attempt: int, *, reason: str, dry_run: bool = False
    ) -> Task:
        """Declares the sandbox of an ended attempt gone."""

    @operation("POST", f"{_TASK}/purge")
    def purge_task(self, task_id: str, *, reason: str, dry_run: bool = False) -> Task:
        """Removes the contents of an ended task, for good."""

    @operation("POST", f"{_TASK}/stream-token")
    def create_stream_token(self, task_id: str) -> StreamToken:
        """A token with which a browser reads this one task for an hour."""

    @operation("GET", f"{_TASK}/events")
    def task_events(
        self,
        task_id: str,
        *,
        after: int | str | None = None,
        limit: int | None = None,
        wait: int | None = None,
    ) -> Page[Event]:
        """A page of a task's events, oldest first; `stream` follows them."""

    @operation("GET", "/v1/events")
    def events(
        self,
        *,
        after: int | str | None = None,
        types: str | Iterable[str] | None = None,
        limit: int | None = None,
        wait: int | None = None,
    ) -> Page[Event]:
        """A page of the events of all tasks, oldest first; `stream` follows them."""

    @listing(f"{_TASK}/logs")
    def logs(self, task_id: str, *, after: int | str | None = None) -> Page[LogChunk]:
        """The agent's log in order, as far as it has come."""

    @operation("GET", f"{_TASK}/patch")
    def patch(self, task_id: str, *, attempt: int | None = None) -> str:
        """The agent's changes as a unified diff."""

    @operation("GET", f"{_TASK}/receipts")
    def receipts(self, task_id: str, *, attempt: int | None = None) -> Receipts:
        """The commands that validated the changes, and how each ended."""

    @operation("GET", f"{_TASK}/trajectory")
    def trajectory(self, task_id: str, *, attempt: int | None = None) -> str:
        """The record of the agent's turns, in the form of its engine."""
