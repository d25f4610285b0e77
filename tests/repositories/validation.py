"""The validation of a checkout as a sandbox does it, in a copy and with a new home."""

import os
import shutil
import tempfile
import time
from collections.abc import Callable, Mapping
from pathlib import Path

from snapshot.runner.agent import virtual_environment
from snapshot.runner.agent.child_env import ChildEnv
from snapshot.runner.agent.command import Runner
from snapshot.runner.reporting.events import Receipt
from snapshot.runner.stop import Stop
from snapshot.runner.time_budget import VALIDATION_PART, Budget
from snapshot.runner.validation.baseline import BaseCommit
from snapshot.runner.validation.run import Validation


def validate(
    original: Path,
    *,
    seconds: float,
    more: Mapping[str, str] | None = None,
    changed: tuple[str, ...] = (),
    base: Path | None = None,
) -> list[Receipt]:
    """The receipts; `base` is a checkout of the base commit, if there is another."""
    receipts: list[Receipt] = []
    with tempfile.TemporaryDirectory(prefix="slipgate-") as root:
        workdir = Path(root).resolve()
        runner = Runner(Stop())

        def copied(checkout: Path) -> tuple[Path, dict[str, str]]:
            place = Path(tempfile.mkdtemp(dir=workdir))
            shutil.copytree(checkout, place / "checkout", symlinks=True)
            return place / "checkout", _environ(runner, place, more or {})

        checkout, environ = copied(original)
        Validation(
            runner=runner,
            checkout=checkout,
            environ=environ,
            budget=Budget(run_seconds=seconds / VALIDATION_PART / 0.9, began_at=time.time()),
            on_receipt=receipts.append,
            changed=changed,
            base=_base(base, copied, workdir / "baseline.json") if base else None,
        ).run(None)
    return receipts


def _base(
    checkout: Path, copied: Callable[[Path], tuple[Path, dict[str, str]]], cache: Path
) -> BaseCommit:
    return BaseCommit(sha="base", texts={}, checkout=lambda: copied(checkout), cache=cache)


def _environ(runner: Runner, place: Path, more: Mapping[str, str]) -> dict[str, str]:
    home, temporary = place / "home", place / "tmp"
    home.mkdir()
    temporary.mkdir()
    cache = {"GOCACHE": str(Path.home() / ".cache" / "go-build")}
    environ = ChildEnv.from_environ({**cache, **os.environ, **more}).command(
        home=home, temporary=temporary
    )
    return virtual_environment.enter(runner, environ, home)
