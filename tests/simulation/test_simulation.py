"""A few hundred seeds of the simulation; `make simulate` plays as many as one likes."""

import os
import subprocess
import sys

SEEDS = 200


def simulate(*arguments: str) -> subprocess.CompletedProcess[str]:
    """Runs the simulation as `make simulate` does."""
    return subprocess.run(
        [sys.executable, "-m", "tests.simulation", *arguments],
        env={**os.environ, "PYTHONHASHSEED": "0"},
        capture_output=True,
        text=True,
        check=False,
    )


def test_every_invariant_holds_whatever_the_world_does() -> None:
    played = simulate("--seeds", str(SEEDS))
    assert played.returncode == 0, played.stdout + played.stderr
    assert f"{SEEDS} seeds" in played.stdout
    assert "every invariant held" in played.stdout
