"""The queue gives endpoints in the order in which they come due, queue by queue."""

from gateway.loops.deliveries.due_queue import DueQueue

LOUD = ("loud", False)
QUIET = ("quiet", True)


def test_an_endpoint_is_given_once_it_is_due_and_only_once() -> None:
    queue = DueQueue()
    queue.add(LOUD, "ep_1", 10)
    assert queue.pop(LOUD, 9) is None
    assert queue.next_at(LOUD) == 10
    assert queue.pop(LOUD, 10) == "ep_1"
    assert (queue.pop(LOUD, 10), queue.next_at(LOUD), tuple(queue.queues())) == (None, None, ())


def test_the_longest_due_comes_first_and_of_equals_the_one_noted_first() -> None:
    queue = DueQueue()
    for name, at in (("ep_c", 5), ("ep_b", 7), ("ep_a", 7)):
        queue.add(LOUD, name, at)
    assert [queue.pop(LOUD, 9) for _ in range(3)] == ["ep_c", "ep_b", "ep_a"]


def test_an_earlier_moment_counts_and_a_later_one_does_not() -> None:
    queue = DueQueue()
    queue.add(LOUD, "ep_1", 10)
    queue.add(LOUD, "ep_1", 5)
    queue.add(LOUD, "ep_1", 20)
    assert queue.next_at(LOUD) == 5
    assert queue.pop(LOUD, 30) == "ep_1"
    assert queue.pop(LOUD, 30) is None


def test_an_endpoint_stands_in_the_queue_it_was_noted_in_last() -> None:
    queue = DueQueue()
    queue.add(LOUD, "ep_1", 10)
    queue.add(QUIET, "ep_1", 15)
    assert queue.next_at(LOUD) is None
    assert queue.pop(QUIET, 10) == "ep_1"
