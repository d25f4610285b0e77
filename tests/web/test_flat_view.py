"""Our events in the flat form: the table, row by row."""

from typing import Any

import msgspec
import pytest

from gateway.domain.tasks.event import Event
from gateway.domain.tasks.fold import create
from gateway.domain.tasks.spec import Spec
from gateway.domain.tasks.task import Task
from gateway.web.sources.flat_view import PATCH_FAILED, flat_view
from gateway.wire.flat_events import NEEDS_REVIEW

PR = "https://github.com/acme/widgets/pull/1"
SPEC = Spec(
    project="default",
    repo_url="https://github.com/acme/widgets",
    prompt="x",
    title="x",
    branch_name="pithy/k1",
    flat="k1",
)


def event(kind: str, **data: Any) -> Event:
    return Event(
        task_id="task_1",
        task_seq=2,
        attempt=1,
        type=kind,
        at=1,
        source="agent",
        data=msgspec.json.encode(data),
    )


def task() -> Task:
    created = Event(
        task_id="task_1",
        task_seq=1,
        attempt=1,
        type="task.created",
        at=1,
        source="api",
        data=msgspec.json.encode(SPEC),
    )
    return create(created)


def flat(kind: str, **data: Any) -> dict[str, str] | None:
    """The payload without what every one has."""
    shown = flat_view(event(kind, **data), task(), SPEC, cancel=None)
    if shown is None:
        return None
    fields = {name: getattr(shown, name) for name in shown.__struct_fields__}
    assert (fields.pop("task_id"), fields.pop("workspace_id")) == ("k1", "task_1")
    assert fields.pop("branch_name") == "pithy/k1"
    return {name: value for name, value in fields.items() if value}


def error(code: str, message: str = "why") -> dict[str, object]:
    return {"stage": "agent", "code": code, "message": message}


@pytest.mark.parametrize(
    ("kind", "data", "shown"),
    [
        ("task.launched", {}, {"type": "workspace.created", "status": "creating"}),
        (
            "task.started",
            {},
            {"type": "task.progress", "status": "running", "message": "The agent has started"},
        ),
        (
            "task.progress",
            {"stage": "clone", "message": "Cloning"},
            {"type": "task.progress", "status": "running", "message": "Cloning"},
        ),
        (
            "task.stalled",
            {"code": "no_progress", "detail": "nothing new"},
            {"type": "task.progress", "status": "running", "message": "no progress: nothing new"},
        ),
        (
            "task.recovered",
            {"code": "silent"},
            {"type": "task.progress", "status": "running", "message": "no longer silent"},
        ),
        (
            "task.completed",
            {"prUrl": PR, "summary": "done"},
            {"type": "task.completed", "status": "success", "pr_url": PR, "message": "done"},
        ),
        (
            "task.needs_review",
            {"prUrl": PR, "summary": "look"},
            {"type": "pr.created", "pr_url": PR, "message": "look"},
        ),
        (
            "task.needs_review",
            {"summary": "nothing changed"},
            {
                "type": "task.failed",
                "status": "failed",
                "error": PATCH_FAILED,
                "message": "nothing changed",
            },
        ),
        (
            "task.timed_out",
            {"error": error("run_timeout")},
            {"type": "task.failed", "status": "failed", "error": "run_timeout", "message": "why"},
        ),
        (
            "task.cancelled",
            {},
            {
                "type": "task.failed",
                "status": "failed",
                "error": "cancelled",
                "message": "It was cancelled.",
            },
        ),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_each_event_has_its_flat_form(
    kind: str, data: dict[str, object], shown: dict[str, str]
) -> None:
    assert flat(kind, **data) == shown


@pytest.mark.parametrize(
    "kind", ["task.launching", "task.pr_created", "task.usage", "task.heartbeat"]
)
def test_what_the_receiver_does_not_know_is_not_sent(kind: str) -> None:
    assert flat(kind, prUrl=PR) is None


@pytest.mark.parametrize(
    ("code", "message", "told"),
    [
        pytest.param(
            "model_context_exceeded",
            "The Patch did not apply; see src/patch.py, patch-1, apply_all and context.",
            "The change did not use; see src/patch.py, patch-1, apply_all and context.",
            id="words change, names and codes do not",
        ),
        pytest.param("conflict", "dispatch.py: no", "dispatch.py: no", id="a piece of a word"),
    ],
)
def test_a_failure_is_worded_so_that_it_is_not_taken_for_a_patch_problem(
    code: str, message: str, told: str
) -> None:
    shown = flat("task.failed", error=error(code, message))
    assert shown
    assert shown["message"] == told
    assert shown["error"] == {"conflict": "clash"}.get(code, code)


def test_a_long_message_keeps_its_head_and_its_tail() -> None:
    shown = flat("task.needs_review", summary=f"begin{'-' * 7_990}cause"[:8_000])
    assert shown
    assert shown["message"].startswith("begin")
    assert shown["message"].endswith("-cause")


def test_a_failure_without_a_pull_request_is_one_to_look_at() -> None:
    reviewed = flat("task.needs_review", summary="")
    assert reviewed
    assert NEEDS_REVIEW.search(reviewed["error"])


@pytest.mark.parametrize(("by", "is_sent"), [(None, False), ("ops", True)])
def test_a_frontend_that_cancelled_is_not_told_that_it_did(
    by: str | None, *, is_sent: bool
) -> None:
    asked = event("task.cancel_requested", **({"by": by} if by else {}))
    shown = flat_view(event("task.cancelled"), task(), SPEC, cancel=asked)
    assert (shown is not None) is is_sent
