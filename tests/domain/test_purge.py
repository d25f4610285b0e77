"""A purge takes every text out of a task, and leaves the record of its states."""

import msgspec
import pytest
from msgspec.structs import replace

from gateway.domain.kernel import commands as c
from gateway.domain.kernel.errors import ApiError
from gateway.domain.tasks.event import FACTS
from gateway.domain.tasks.purge import emptied
from gateway.domain.tasks.task import Clocks
from tests.domain.world import TASK, World, fold

TEXT = "a text that has to go"
PURGE = c.PurgeTask(task_id=TASK, cause=c.Cause(reason="asked for"), actor="key:k")
ERROR = {"stage": "agent", "code": "boom", "message": TEXT, "retryable": True}


def ended(*, is_gone: bool = True, **spec: object) -> World:
    """A task with a text in all that may have one; its second attempt has failed too."""
    command = {"engine": "command", "command": ["sh", "-c", TEXT]}
    world = World(prompt=TEXT, title=TEXT, agent=command, maxAttempts=2, **spec)
    for attempt in (1, 2):
        world.launch()
        world.emit("task.started", attempt=attempt, warnings=[TEXT])
        world.emit("task.progress", attempt=attempt, stage="agent", message=TEXT)
        world.emit("task.log", attempt=attempt, offset=0, chunk=TEXT)
        world.emit("task.usage", attempt=attempt, turns=3)
        world.emit(
            "task.failed", attempt=attempt, error=ERROR, logTail=TEXT, patch=TEXT, warnings=[TEXT]
        )
        if attempt == 1 or is_gone:
            (job,) = world.claim(capacity=0)
            world.done(job, "destroyed")
    return world


def purge(world: World) -> None:
    world.view.purges.events[TASK] = list(world.view.events.new)
    world.do(PURGE)
    left = [emptied(event) for event in world.view.events.new]
    assert left[:-1] == world.view.purges.rewritten
    world.view.events.new = left
    world.check()


def test_no_text_is_left_and_the_row_is_still_the_fold_of_its_events() -> None:
    world = ended()
    assert TEXT in str(world.task)
    before = world.task
    purge(world)
    kept = (world.task, world.view.attempts, world.view.events.new)
    assert TEXT not in str(kept)
    assert world.task.purged_at == world.now
    assert (world.task.status, world.task.attempt) == (before.status, 2)
    assert world.task.error is not None
    assert (world.task.error.code, world.task.usage.turns) == ("boom", 3)
    assert fold(world.view.events.new) == replace(world.task, clocks=Clocks(), claimable_at=None)
    assert world.view.purges.purged == [TASK]
    assert TASK in world.view.secrets.erased


def test_every_type_of_event_can_be_emptied() -> None:
    world = ended()
    for event in world.view.events.new:
        assert type(emptied(event).fact) is FACTS[event.type]


def test_a_second_purge_changes_nothing() -> None:
    world = ended()
    purge(world)
    seq = world.task.seq
    world.do(PURGE)
    assert world.task.seq == seq


def test_a_purged_task_is_not_tried_again() -> None:
    world = ended()
    purge(world)
    assert world.refuses(c.RetryTask(task_id=TASK, project="default")) == "task_purged"


def test_a_late_word_is_counted_and_not_kept() -> None:
    world = ended()
    purge(world)
    events = len(world.types)
    for kind, fields in (("task.log", {"offset": 0, "chunk": TEXT}), ("task.completed", {})):
        with pytest.raises(ApiError) as refused:
            world.do(world.word(kind, attempt=2, patch=TEXT, **fields))
        assert refused.value.code == "attempt_finished"
    assert len(world.types) == events
    assert world.view.attempts[TASK, 2].refused == 2


@pytest.mark.parametrize(
    ("world", "code"),
    [
        (World(), "not_finished"),
        (ended(is_gone=False), "sandbox_alive"),
        (ended(is_gone=False, keepSandbox=True), "sandbox_alive"),
    ],
    ids=["queued", "being destroyed", "kept"],
)
def test_a_purge_waits_for_the_end_and_for_the_sandbox(world: World, code: str) -> None:
    assert world.refuses(PURGE) == code


def test_what_was_asked_keeps_all_but_its_texts() -> None:
    world = ended(metadata={"user": "u_1"})
    created = emptied(world.view.events.new[0])
    asked = msgspec.json.decode(created.data)
    assert (asked["prompt"], asked["title"]) == ("", "(purged)")
    assert asked["metadata"] == {"user": "u_1"}
    assert asked["repoUrl"] == "https://github.com/acme/widgets"
