"""Nothing that a batch changes can be forgotten: each part of the unit of work has its writer."""

from gateway.domain.kernel.part import Added
from gateway.domain.kernel.policy import Policy
from gateway.domain.kernel.unit_of_work import UnitOfWork
from gateway.store.loading import BatchReadSet
from gateway.store.sql.batch import KEYED, RELATED, SELECTIONS, WRITERS

PARTS = UnitOfWork(policy=Policy(key_id="k1")).parts
LOADED_WITH_ANOTHER = {"secrets"}
"""They belong to the tasks that were loaded."""
ALWAYS_THERE = {"switches"}
"""Few rows that every batch gets without a read."""


def test_every_part_has_a_writer() -> None:
    assert {part for part, _ in WRITERS} == set(PARTS)


def test_every_part_that_is_more_than_added_rows_has_a_loader() -> None:
    added = {name for name, part in PARTS.items() if isinstance(part, Added)}
    loaded = {part for part, _, _ in (*SELECTIONS, *KEYED, *RELATED)}
    assert loaded == set(PARTS) - added - LOADED_WITH_ANOTHER - ALWAYS_THERE


def test_every_field_of_a_read_set_is_asked_by_a_loader() -> None:
    asked = {field for _, fields, _ in (*SELECTIONS, *KEYED, *RELATED) for field in fields}
    assert asked | {"tasks"} == set(BatchReadSet.__struct_fields__)


def test_a_new_unit_of_work_has_nothing_to_write() -> None:
    assert not UnitOfWork(policy=Policy(key_id="k1")).is_changed
