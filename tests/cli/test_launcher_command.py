"""`slipgate launcher` hands over to a program of its own, with what it was told."""

import subprocess

import pytest

from tests.forks.programs import slipgate

SOUND = {
    "SLIPGATE_URL": "http://127.0.0.1:9",
    "SLIPGATE_API_KEY": "slip_launcher_test",
    "SLIPGATE_PROVIDERS": "local",
}


@pytest.mark.parametrize(
    ("settings", "code", "words"),
    [(SOUND, 0, ""), ({**SOUND, "SLIPGATE_CAPACITY": "many"}, 2, "SLIPGATE_CAPACITY must be")],
    ids=["sound", "wrong"],
)
def test_check_only_says_what_is_wrong_with_the_settings(
    settings: dict[str, str], code: int, words: str
) -> None:
    command = [slipgate(), "launcher", "--check"]
    done = subprocess.run(
        command, env=settings, capture_output=True, text=True, check=False, timeout=60
    )
    assert (done.returncode, done.stderr[: len(words)]) == (code, words)
    assert done.stdout == ""
