"""Each action of a bulk action, in each state of a task: its effect, or the code of its refusal."""

from collections.abc import Callable, Collection
from typing import cast

import pytest
from msgspec.structs import replace

from gateway.domain.operations.bulk import AdvanceBulk, BrokenTask, BulkReply, BulkVerb
from gateway.domain.operations.switches import Switches
from tests.domain.world import TASK, World
from tests.store.test_bulk import BULK


def queued() -> World:
    return World()


def running() -> World:
    world = World()
    world.launch()
    world.emit("task.started")
    return world


def failed() -> World:
    """Failed, its sandbox known to be gone."""
    world = kept(keep=False)
    (job,) = world.claim(capacity=0)
    world.done(job, "destroyed")
    return world


def kept(*, keep: bool = True) -> World:
    """Failed, its sandbox kept for a day."""
    world = World(keepSandbox=keep)
    world.launch()
    error = {"stage": "agent", "code": "boom", "message": "no", "retryable": False}
    world.emit("task.failed", error=error)
    return world


def acts(
    world: World,
    verb: BulkVerb,
    project: str | None = "default",
    *,
    broken: Collection[str] = (),
) -> str:
    """The code of the refusal; empty for success."""
    bulk = replace(BULK, action=verb, matched=1, project=project, actor="key:key_1")
    world.view.bulk_actions.start(bulk, (TASK,))
    world.view.bulk_actions.pages[bulk.id] = (TASK,)
    answer = world.do(AdvanceBulk(bulk_id=bulk.id, broken=frozenset(broken)))
    assert isinstance(answer, BulkReply)
    assert (answer.bulk.status, answer.bulk.taken) == ("done", 1)
    return "".join(failure.code for failure in answer.bulk.failed_tasks)


@pytest.mark.parametrize(
    ("verb", "made", "code", "event"),
    [
        ("cancel", queued, "", "task.cancelled"),
        ("cancel", running, "", "task.cancel_requested"),
        ("cancel", failed, "already_finished", ""),
        ("retry", queued, "not_finished", ""),
        ("retry", running, "not_finished", ""),
        ("retry", failed, "", "task.retried"),
        ("destroy", running, "not_finished", ""),
        ("destroy", failed, "", ""),
        ("destroy", kept, "", "sandbox.state"),
    ],
)
def test_a_task_has_its_turn(
    verb: BulkVerb, made: Callable[[], World], code: str, event: str
) -> None:
    world = made()
    before = len(world.types)
    assert acts(world, verb) == code
    new = world.types[before:]
    assert (event in new) if event else new == []


def test_a_task_on_which_a_rule_breaks_is_named_and_then_refused() -> None:
    world = failed()
    switches, world.view.switches = world.view.switches, cast("Switches", None)
    with pytest.raises(BrokenTask) as broken:
        acts(world, "retry")
    assert broken.value.task_id == TASK
    world.view.switches = switches
    assert acts(world, "retry", broken={TASK}) == "internal"


def test_a_task_of_another_project_is_left_alone() -> None:
    world = queued()
    assert acts(world, "cancel", project="other") == "not_found"
    assert acts(world, "cancel", project=None) == ""


def test_a_kept_sandbox_is_destroyed_now_and_its_event_has_the_reason() -> None:
    world = kept()
    assert world.claim(capacity=0) == []
    acts(world, "destroy")
    (job,) = world.claim(capacity=0)
    assert job.kind == "destroy"
    event = world.view.events.new[-1]
    assert (event.type, event.source) == ("sandbox.state", "api")
    assert b'"reason":"an outage"' in event.data


def test_a_retry_says_which_bulk_action_asked_for_it() -> None:
    world = failed()
    acts(world, "retry")
    (event,) = [each for each in world.view.events.new if each.type == "task.retried"]
    assert event.data == (
        b'{"attempt":2,"word":null,"by":"key:key_1","reason":"an outage","bulkId":"bulk_1"}'
    )


def test_the_audit_log_names_the_one_who_asked_for_each_task() -> None:
    world = queued()
    acts(world, "cancel")
    (entry,) = [each for each in world.view.audit if each.action == "task.cancelled"]
    assert (entry.actor, entry.target) == ("key:key_1", TASK)
    assert entry.detail == {"reason": "an outage", "bulkId": "bulk_1"}
