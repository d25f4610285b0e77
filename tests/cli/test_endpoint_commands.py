"""`endpoints …` and `deliveries …` against a real gateway."""

from pathlib import Path
from typing import Any

from tests.cli.operator import Operator

Json = dict[str, Any]
URL = "https://hooks.invalid/in?token=hush"


def opens(ops: Operator, *options: str) -> Json:
    typed = ops.types("endpoints", "create", f"--url={URL}", *options, "--json")
    assert typed.code == 0, typed.err
    return typed.document


def test_an_endpoint_is_made_and_shows_its_secret_once(ops: Operator) -> None:
    typed = ops.types("endpoints", "create", f"--url={URL}", "--type=task.completed")
    assert typed.code == 0, typed.err
    lines = dict(line.split(None, 1) for line in typed.out.splitlines()[:2])
    assert lines["secret"].startswith("whsec_")
    shown = ops.types("endpoints", "show", lines["endpoint"])
    assert "https://hooks.invalid/in?***" in shown.out
    assert "task.completed" in shown.out
    assert "hush" not in shown.out
    assert lines["secret"] not in shown.out
    listed = ops.types("endpoints", "list", "--limit=200")
    assert lines["endpoint"] in listed.out


def test_a_header_comes_from_a_file(ops: Operator, tmp_path: Path) -> None:
    (tmp_path / "key").write_text("secret\n")
    made = opens(ops, f"--header=X-Key=@{tmp_path / 'key'}")
    assert made["headers"] == ["X-Key"]
    typed = ops.types("endpoints", "update", made["id"], "--header=X-Key=secret")
    assert typed.code == 2
    assert "Name=@FILE" in typed.err


def test_an_endpoint_is_changed_rotated_disabled_enabled_and_deleted(ops: Operator) -> None:
    name = opens(ops)["id"]
    updated = ops.types("endpoints", "update", name, "--description=mine", "--rate=5", "--json")
    assert (updated.document["description"], updated.document["ratePerSecond"]) == ("mine", 5)
    rotated = ops.types("endpoints", "rotate", name, "--overlap=0", "--json").document
    assert rotated["secret"].startswith("whsec_")
    assert "disabled by ops" in ops.types("endpoints", "disable", name).out
    enabled = ops.types("endpoints", "enable", name, "--backlog=dead", "--json")
    assert enabled.document["enabled"] is True
    assert ops.types("endpoints", "delete", name).out == f"deleted {name}\n"
    gone = ops.types("endpoints", "show", name)
    assert gone.code == 1
    assert "no such endpoint" in gone.err


def test_an_endpoint_takes_the_secret_that_its_receiver_knows(
    ops: Operator, tmp_path: Path
) -> None:
    known = f"whsec_{'A' * 32}"
    (tmp_path / "secret").write_text(f"{known}\n")
    assert opens(ops, f"--secret-file={tmp_path / 'secret'}")["secret"] == known


def test_a_test_that_does_not_arrive_fails(ops: Operator) -> None:
    typed = ops.types("endpoints", "test", opens(ops)["id"])
    assert typed.code == 1
    assert "did not arrive: no answer: dns" in typed.err
    assert "correct the url of the endpoint" in typed.err


def test_deliveries_are_listed_shown_and_sent_again(ops: Operator) -> None:
    endpoint = opens(ops, "--type=task.created")["id"]
    task = ops.creates()
    (delivery,) = ops.types(
        "deliveries", "list", f"--endpoint={endpoint}", f"--task={task}", "--json"
    ).document["data"]
    assert delivery["type"] == "task.created"
    listed = ops.types("deliveries", "list", f"--endpoint={endpoint}")
    assert delivery["id"] in listed.out
    shown = ops.types("deliveries", "show", delivery["id"])
    assert shown.out.startswith(f"{delivery['id']}  task.created")
    again = ops.types("deliveries", "retry", delivery["id"], "--json")
    assert again.document["id"] == delivery["id"]
    none = ops.types("deliveries", "list", f"--endpoint={endpoint}", "--status=delivered")
    assert none.out == "No such deliveries.\n"


def test_a_replay_tells_where_to_look(ops: Operator) -> None:
    endpoint = opens(ops)["id"]
    typed = ops.types("endpoints", "replay", endpoint, "--since=2026-01-01T00:00:00Z", "--dry-run")
    assert typed.code == 0, typed.err
    (name, *_) = typed.out.split()
    shown = ops.types("endpoints", "replayed", name, "--json").document
    assert (shown["id"], shown["dryRun"]) == (name, True)
    wrong = ops.types("endpoints", "replay", endpoint, "--since=yesterday")
    assert wrong.code == 1
    assert "$.since" in wrong.err


def test_what_is_no_id_is_told_where_ids_are(ops: Operator) -> None:
    for group, words, listing in (
        ("endpoints", ("show", "../keys"), "slipgate endpoints list"),
        ("deliveries", ("retry", "a b"), "slipgate deliveries list"),
        ("bulk", ("show", "a/b"), "slipgate bulk list"),
    ):
        typed = ops.types(group, *words)
        assert (typed.code, listing in typed.err) == (1, True)


def test_another_key_is_told_which_one_it_takes(operator: Operator) -> None:
    for words in (("endpoints", "list"), ("deliveries", "list")):
        typed = operator.types(*words)
        assert typed.code == 1
        assert "scope ops" in typed.err


def test_the_feed_tells_what_befell_an_endpoint(ops: Operator) -> None:
    name = opens(ops)["id"]
    feed = ("tasks", "events", "--types=endpoint.*")
    newest = ops.types(*feed, "--json").document["nextCursor"]
    ops.types("endpoints", "disable", name)
    (line,) = ops.types(*feed, f"--after={newest}").out.splitlines()
    assert line.split()[2:] == [
        name,
        "endpoint.disabled",
        "https://hooks.invalid",
        "disabled",
        "by",
        "ops",
    ]
