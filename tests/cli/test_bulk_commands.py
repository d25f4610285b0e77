"""`bulk …` and `tasks purge` against a real gateway."""

from pathlib import Path

import pytest

from tests.cli.operator import Operator

REPO = "--repo=https://github.com/acme/bulk"


def creates(operator: Operator, count: int) -> list[str]:
    words = ("tasks", "create", REPO, "--prompt=x", "--json")
    return [str(operator.types(*words).document["id"]) for _ in range(count)]


def test_what_matches_is_counted_cancelled_and_listed(operator: Operator) -> None:
    made = creates(operator, 3)
    filters = (REPO, "--status=queued", "--reason=an outage")
    dry = operator.types("bulk", "cancel", *filters, "--dry-run")
    assert "3 tasks match; nothing was done" in dry.out
    assert made[2] in dry.out
    done = operator.types("bulk", "cancel", *filters, "--wait")
    assert done.code == 0, done.err
    assert "3 done, 0 refused, of 3" in done.out
    listed = operator.types("bulk", "list", "--limit=1", "--json").document["data"]
    assert (listed[0]["reason"], listed[0]["done"]) == ("an outage", 3)
    assert listed[0]["id"] in operator.types("bulk", "list").out
    assert "an outage" in operator.types("bulk", "show", listed[0]["id"]).out


def test_a_refused_task_is_named_and_the_command_fails(operator: Operator) -> None:
    (task_id,) = creates(operator, 1)
    typed = operator.types("bulk", "retry", REPO, "--status=queued", "--reason=x", "--wait")
    assert typed.code == 1
    assert "not_finished" in typed.out
    assert "1 of 1 tasks were refused" in typed.err
    operator.types("tasks", "cancel", task_id)


def test_a_bulk_action_without_a_filter_or_that_is_over_is_refused(operator: Operator) -> None:
    refused = operator.types("bulk", "cancel", "--reason=x")
    assert refused.code == 1
    assert "$.filter" in refused.err
    begun = operator.types("bulk", "cancel", "--metadata=no=body", "--reason=x", "--json").document
    assert begun["filter"] == {"metadata": {"no": "body"}}
    assert operator.types("bulk", "abort", begun["id"]).code == 1


def test_a_task_is_purged_by_ops_with_a_reason(
    operator: Operator, gateway_process: tuple[str, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    (task_id,) = creates(operator, 1)
    operator.types("tasks", "cancel", task_id)
    assert operator.types("tasks", "purge", task_id, "--reason=x").code == 1
    monkeypatch.setenv("SLIPGATE_API_KEY", (gateway_process[1] / "ops").read_text())
    typed = operator.types("tasks", "purge", task_id, "--reason=personal data")
    assert (typed.code, task_id in typed.out) == (0, True), typed.err
    assert "purged" in operator.types("tasks", "logs", task_id).err
