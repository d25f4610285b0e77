"""`slipgate sweep`: what nobody wants any more is shown, and looked for at once if asked."""

from concurrent.futures import ThreadPoolExecutor

import pytest

from tests.cli.operator import Json, Operator


@pytest.fixture
def ops(ops: Operator) -> Operator:
    """The operator; a launcher has called."""
    ops.claims()
    return ops


def _sweeps(ops: Operator) -> None:
    """The launcher, until it was asked to sweep and has found an orphan."""
    while True:
        for job in ops.claims(wait=5):
            if job["kind"] == "sweep":
                _reports(ops, job)
                return


def _reports(ops: Operator, job: Json) -> None:
    labels = {**job["labels"], "slipgate-task": "task_ghost", "slipgate-attempt": "2"}
    found = {"id": "s9", "name": "slipgate-ghost-2", "state": "started", "labels": labels}
    words = {"leaseToken": job["leaseToken"], "sandboxes": [found]}
    headers = {"authorization": f"Bearer {ops.launcher_key}"}
    path = f"/v1/launcher/jobs/{job['id']}/done"
    ops.http.post(path, json=words, headers=headers).raise_for_status()


def test_a_sweep_is_had_at_once_and_its_findings_are_shown_with_the_reason(ops: Operator) -> None:
    before = ops.types("sweep", "--dry-run")
    assert (before.code, "local@here of default: 0 sandboxes" in before.out) == (0, True), (
        before.err
    )
    with ThreadPoolExecutor(1) as pool:
        sweeping = pool.submit(_sweeps, ops)
        typed = ops.types("sweep")
        sweeping.result()
    assert typed.code == 0, typed.err
    for words in ("1 unwanted", "slipgate-ghost-2", "destroying", "there is no such task"):
        assert words in typed.out
    (realm,) = ops.types("sweep", "--dry-run", "--json").document["data"]
    assert [each["name"] for each in realm["sandboxes"]] == ["slipgate-ghost-2"]


def test_it_needs_an_ops_key(operator: Operator) -> None:
    typed = operator.types("sweep", "--dry-run")
    assert (typed.code, "forbidden" in typed.err) == (1, True)
