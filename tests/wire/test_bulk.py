"""The words of a filter are those of the rules."""

from typing import get_args

from gateway.domain.tasks.task import FLAG_ORDER, Status
from gateway.store.records import ANY_FLAG
from gateway.wire.bulk import FlagCode, TaskStatus


def test_a_filter_knows_every_state_and_every_flag() -> None:
    assert get_args(TaskStatus) == tuple(Status)
    assert get_args(FlagCode) == (ANY_FLAG, *FLAG_ORDER)
