"""A gateway that knows which events it has not been told of."""

from gateway.store.postgres.session import PARTITIONS, Informed, partition


def test_own_commits_that_follow_one_another_leave_no_gap() -> None:
    informed = Informed()
    informed.restart(10)
    assert [informed.add(10, 12), informed.add(12, 12), informed.add(12, 20)] == [True] * 3


def test_a_gap_lasts_until_another_gateway_has_told_of_it() -> None:
    informed = Informed()
    informed.restart(10)
    assert not informed.add(11, 12)  # 11 is of another gateway
    assert not informed.add(12, 14)
    informed.add(10, 11)  # the notification
    assert informed.add(14, 15)


def test_notifications_that_come_late_or_twice_change_nothing() -> None:
    informed = Informed()
    informed.restart(10)
    informed.add(3, 7)
    informed.add(7, 12)
    assert informed.add(12, 13)


def test_endpoints_spread_over_all_partitions() -> None:
    assert {partition(f"ep_{number}") for number in range(2_000)} == set(range(PARTITIONS))
