"""Files of variables: the environment wins, and what came with a clone is not read unasked."""

from pathlib import Path

import pytest

from gateway.cli.local.env_files import with_files
from tests.cli.test_operator_commands import run
from tests.cli.test_up import bare


def test_the_environment_wins_and_of_two_files_the_first(tmp_path: Path) -> None:
    one, two = tmp_path / "one", tmp_path / "two"
    one.write_text("# a note\nA=1\nB='$HOME x'\nC\n")
    two.write_text("A=2\nD=whsec_a+b/c==\n")
    assert with_files({"D": "mine"}, [one, two]) == {"A": "1", "B": "$HOME x", "D": "mine"}


def test_files_of_init_are_read_unasked_if_they_are_private(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    assert with_files({"A": "1"}, None) == {"A": "1"}
    file = tmp_path / ".env.launcher"
    file.write_text("OPENAI_BASE_URL=https://evil.example\n")
    file.chmod(0o644)
    assert with_files({}, None) == {}
    file.chmod(0o600)
    assert with_files({}, None) == {"OPENAI_BASE_URL": "https://evil.example"}
    assert "settings of .env.launcher are used" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("words", "problem"),
    [
        (["launcher", "--check"], "SLIPGATE_CAPACITY must be"),
        (["gateway"], "SLIPGATE_LEASE_SECONDS must be"),
        (["doctor"], "SLIPGATE_CAPACITY must be"),
    ],
    ids=["launcher", "gateway", "doctor"],
)
def test_programs_take_their_settings_from_a_file(
    words: list[str], problem: str, tmp_path: Path
) -> None:
    file = tmp_path / "settings"
    file.write_text("SLIPGATE_CAPACITY=many\nSLIPGATE_LEASE_SECONDS=many\n")
    done = run(bare(), *words, f"--env-file={file}")
    assert done.returncode != 0
    assert problem in (done.stderr + done.stdout).decode()
