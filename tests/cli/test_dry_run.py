"""`--dry-run` and `--reason` of commands that change something."""

from pathlib import Path

import msgspec
import pytest

from tests.cli.operator import Operator

NOTE = "dry run: nothing was changed"


def test_a_dry_run_shows_the_outcome_says_so_and_changes_nothing(ops: Operator) -> None:
    task_id, other = ops.creates(), ops.creates()
    ops.claims()
    address = "--url=https://a.example"
    endpoint = ops.types("endpoints", "create", address, "--json").document["id"]
    for words, outcome in (
        (("switches", "pause", "intake", "--reason=x"), "intake  paused"),
        (("launchers", "drain", "l-1", "--reason=x"), "l-1 is drained"),
        (("tasks", "cancel", task_id), "it would be launching and stopping"),
        (("tasks", "cancel", task_id, other), f"{other} it would be"),
        (("endpoints", "create", address), "enabled"),
        (("endpoints", "disable", endpoint), "disabled"),
        (("endpoints", "rotate", endpoint), "secret  -"),
        (("endpoints", "delete", endpoint), "would delete"),
    ):
        typed = ops.types(*words, "--dry-run")
        assert (typed.code, outcome in typed.out, NOTE in typed.err) == (0, True, True), typed
    assert "enabled" in ops.types("endpoints", "show", endpoint).out
    assert ops.types("switches", "show").out.startswith("intake  on")
    log = ops.types("audit", "--json").document["data"]
    assert {one["action"] for one in log if one["target"] in {endpoint, "l-1", task_id}} == {
        "endpoint.created",
        "task.created",
    }
    assert ops.types("endpoints", "delete", endpoint, "--reason=moved").code == 0
    (newest, *_) = ops.types("audit", "--json").document["data"]
    assert (newest["action"], newest["detail"]["reason"]) == ("endpoint.deleted", "moved")


def test_keys_are_tried_dry_beside_the_database(
    operator: Operator, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SLIPGATE_DATABASE_URL", f"sqlite:///{tmp_path / 'slipgate.db'}")
    made = operator.types("keys", "create", "--scope=read", "--name=real", "--json").document
    dry = operator.types("keys", "create", "--scope=ops", "--name=dry", "--dry-run", "--json")
    assert (dry.code, dry.document["name"], "key" in dry.document) == (0, "dry", False)
    revoked = operator.types("keys", "revoke", made["id"], "--dry-run")
    assert (revoked.code, made["id"] in revoked.out, NOTE in revoked.err) == (0, True, True)
    (kept,) = msgspec.json.decode(operator.types("keys", "list", "--json").out)
    assert (kept["name"], kept["revokedAt"]) == ("real", None)
