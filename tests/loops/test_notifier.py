"""Hints: a number tells whether anything was said since it was read."""

from gateway.notifier import Notifier


def test_the_number_changes_with_every_hint_about_the_topic_alone() -> None:
    notifier = Notifier()
    with notifier.listen("task_1"), notifier.listen("task_2"):
        before = notifier.version("task_1")
        notifier.notify(["task_2", "jobs"])
        assert notifier.version("task_1") == before
        notifier.notify(["task_1"])
        assert notifier.version("task_1") > before


def test_the_number_is_never_an_old_one_again() -> None:
    notifier = Notifier()
    with notifier.listen("task_1"):
        notifier.notify(["task_1"])
        before = notifier.version("task_1")
    # Nobody listens: what is said is heard by none, so every look must count as a first one.
    assert before < notifier.version("task_1") < notifier.version("task_1")
    with notifier.listen("task_1"):
        assert notifier.version("task_1") > before
