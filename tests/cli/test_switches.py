"""`slipgate switches` and `slipgate launchers drain|resume|revoke` against a real gateway."""

import pytest

from tests.cli.operator import Operator


def test_switches_are_shown_paused_and_resumed(ops: Operator) -> None:
    scope = "--project=a team"
    paused = ops.types("switches", "pause", "intake", "delivering", scope, "--reason=b", "--for=2h")
    assert paused.code == 0, paused.err
    assert "delivering of project a team  paused  since 20" in paused.out
    assert ops.types("switches", "show").out.splitlines()[0] == "intake  on"
    status = ops.types("status")
    assert "intake_paused" in status.out
    assert "slipgate switches resume intake --project='a team'" in status.out
    document = ops.types("switches", "show", scope, "--json").document
    assert [one["until"] is not None for one in document["data"]] == [False] * 3 + [True] * 2
    resumed = ops.types("switches", "resume", "intake", "delivering", scope)
    assert resumed.out.splitlines() == ["intake  on", "launching  on", "delivering  on"]


@pytest.mark.parametrize(
    ("words", "code", "error"),
    [
        (("pause", "intake"), 2, "--reason"),
        (("pause", "intake", "--reason=x", "--for=soon"), 2, "such as 90s, 30m, 2h or 1d"),
        (("pause", "intake", "--reason=x", "--for=1h", "--until=x"), 2, "not both"),
        (("pause", "outtake", "--reason=x"), 1, "outtake"),
    ],
)
def test_what_is_typed_wrong_is_said(
    ops: Operator, words: tuple[str, ...], code: int, error: str
) -> None:
    typed = ops.types("switches", *words)
    assert (typed.code, error in typed.err) == (code, True), typed.err


def test_a_launcher_is_drained_and_resumed(ops: Operator) -> None:
    ops.claims()
    drained = ops.types("launchers", "drain", "l-1", "--reason=new kernel")
    assert drained.out.startswith("l-1 is drained and holds "), drained.err
    assert ops.types("launchers", "list").out.splitlines()[1].split()[2] == "drained"
    assert ops.types("launchers", "resume", "l-1").out.startswith("l-1 is working")


@pytest.mark.parametrize("name", ["..", "a/b", ""])
def test_what_is_no_id_of_a_launcher_is_not_sent(ops: Operator, name: str) -> None:
    typed = ops.types("launchers", "drain", name, "--reason=x")
    assert (typed.code, "slipgate launchers list" in typed.err) == (1, True)


def test_an_id_with_dots_may_be_unknown(ops: Operator) -> None:
    typed = ops.types("launchers", "revoke", "ci.example.com-12-0a", "--reason=x")
    assert (typed.code, "no such launcher" in typed.err) == (1, True)
