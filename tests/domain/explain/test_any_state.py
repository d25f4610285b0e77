"""Whatever state launchers, agents and people bring a task into, it can be explained."""

from hypothesis import given, settings
from hypothesis import strategies as st

from gateway.domain.explain import explain
from gateway.domain.explain.explanation import ExplainInput
from tests.domain.explain.scenes import now
from tests.domain.test_properties import STALLS, Installation

MOVES = st.lists(st.tuples(st.integers(0, 50), st.integers(0, 50)), min_size=1, max_size=60)


@given(moves=MOVES, attempts=st.integers(1, 3), stall=STALLS)
@settings(max_examples=150)
def test_every_state_is_explained(moves: list[tuple[int, int]], attempts: int, stall: str) -> None:
    played = Installation(maxAttempts=attempts, onStall=stall)
    for move, choice in moves:
        played.step(move, choice)
        _check(now(played.world))


def _check(scene: ExplainInput) -> None:
    told, task = explain(scene), scene.task
    assert told.status is task.status
    assert told.summary.startswith(task.status.value.replace("_", " "))
    for text in (told.summary, told.waiting_for or "", *(step.what for step in told.next)):
        assert "None" not in text
        assert "; ;" not in text
        assert text == text.strip()
    if not task.status.is_terminal:
        assert told.waiting_for
        assert told.next
    assert list(told.next) == sorted(told.next, key=lambda step: step.at)
    following = task.clocks.next()
    assert following is None or following[0] in [step.at for step in told.next]
    assert any(line.startswith("event ") for line in told.evidence)
