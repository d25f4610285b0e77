"""Hints: a number tells whether anything was said since it was read."""

from gateway.notifier import Hints


def test_the_number_changes_with_every_hint_about_the_topic_alone() -> None:
    hints = Hints()
    with hints.listen("task_1"), hints.listen("task_2"):
        before = hints.told("task_1")
        hints.tell(["task_2", "jobs"])
        assert hints.told("task_1") == before
        hints.tell(["task_1"])
        assert hints.told("task_1") > before


def test_the_number_is_never_an_old_one_again() -> None:
    hints = Hints()
    with hints.listen("task_1"):
        hints.tell(["task_1"])
        before = hints.told("task_1")
    # Nobody listens: what is said is heard by none, so every look must count as a first one.
    assert before < hints.told("task_1") < hints.told("task_1")
    with hints.listen("task_1"):
        assert hints.told("task_1") > before
