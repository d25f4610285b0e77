"""The replay of a run bundle: its patch on its base commit, its checks, and no model."""

import os
import subprocess
import sys
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Final

import msgspec

from gateway.cli.bundle import archive
from gateway.cli.bundle.archive import Bundle, Manifest
from gateway.cli.console.output import CommandFailed
from gateway.cli.local.processes import without_slipgate

RUNNER: Final = Path(__file__).resolve().parents[3] / "snapshot" / "execution.sh"
BASE: Final = "slipgate-replay/base"
RESULT: Final = "slipgate-replay/result"
RUN_SECONDS: Final = 3_600
ENDS: Final = frozenset({"task.completed", "task.needs_review", "task.failed"})


class Receipt(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    command: str | tuple[str, ...]
    status: str | None = None
    exit_code: int | None = None

    @property
    def shown(self) -> str:
        return self.command if isinstance(self.command, str) else " ".join(self.command)

    @property
    def result(self) -> str:
        return self.status or ("passed" if self.exit_code == 0 else "failed")


class Replayed(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """The two results of each check; the JSON of `bundle replay`."""

    same: bool
    status: str
    summary: str
    checks: tuple["Compared", ...]


class Compared(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    command: str
    then: str
    now: str


class _Recorded(msgspec.Struct, frozen=True):
    data: tuple[Receipt, ...] = ()


class _Line(msgspec.Struct, frozen=True):
    body: bytes


class _Error(msgspec.Struct, frozen=True):
    message: str = ""


class _Data(msgspec.Struct, frozen=True):
    summary: str = ""
    validation: tuple[Receipt, ...] = ()
    error: _Error = _Error()


class _End(msgspec.Struct, frozen=True):
    type: str
    data: _Data


def replay(bundle: Bundle, repository: str | None) -> Replayed:
    """Runs the bundle's patch and checks as an attempt would, in a folder that is removed again.

    Raises:
        CommandFailed: the repository, its base commit or the runner is not to be had.
    """
    recorded = _recorded(bundle)
    with tempfile.TemporaryDirectory(prefix="slipgate-replay-") as name:
        folder = Path(name)
        mirror = _mirror(repository or bundle.manifest.repo_url, bundle.manifest.base_sha, folder)
        patch = folder / archive.PATCH
        patch.write_bytes(bundle.files.get(archive.PATCH, b""))
        end = _run(_environ(bundle.manifest, mirror, patch, folder), folder)
    return _compared(recorded, end)


def _recorded(bundle: Bundle) -> tuple[Receipt, ...]:
    receipts = bundle.files.get(archive.RECEIPTS) or b"{}"
    try:
        return msgspec.json.decode(receipts, type=_Recorded).data
    except (msgspec.MsgspecError, RecursionError) as exc:
        raise CommandFailed(
            f"The receipts of the bundle cannot be read: {exc}.",
            "Write it again: slipgate tasks bundle ID",
        ) from exc


def _compared(recorded: tuple[Receipt, ...], end: _End) -> Replayed:
    then = {receipt.shown: receipt.result for receipt in recorded}
    now = {receipt.shown: receipt.result for receipt in end.data.validation}
    return Replayed(
        same=then == now,
        status=end.type.removeprefix("task."),
        summary=end.data.summary or end.data.error.message,
        checks=tuple(
            Compared(command=name, then=then.get(name, "-"), now=now.get(name, "-"))
            for name in dict.fromkeys([*then, *now])
        ),
    )


def _mirror(source: str, base_sha: str, folder: Path) -> Path:
    """A bare clone whose branch is at the base commit."""
    mirror = folder / "repository.git"
    _git("clone", "--quiet", "--bare", "--", source, str(mirror))
    reference = f"refs/heads/{BASE}"
    _git("-C", str(mirror), "update-ref", "--end-of-options", reference, f"{base_sha}^{{commit}}")
    return mirror


def _git(*arguments: str) -> None:
    # The user's own settings: they hold the credentials. No transport that runs commands.
    environ = os.environ | {"GIT_TERMINAL_PROMPT": "0", "GIT_ALLOW_PROTOCOL": "file:https:ssh"}
    done = subprocess.run(
        ["git", *arguments],
        env=environ,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode != 0:
        raise CommandFailed(
            f"git failed: {done.stderr.strip()}",
            "Name a clone that has the base commit: slipgate bundle replay FILE --repo PATH",
        )


def _environ(manifest: Manifest, mirror: Path, patch: Path, folder: Path) -> dict[str, str]:
    agent = {
        "engine": "command",
        "command": ["git", "apply", "--whitespace=nowarn", str(patch)],
        "maxRepairRounds": 0,
    }
    environ = {
        "TARGET_REPO": mirror.as_uri(),
        "BASE_BRANCH": BASE,
        "BRANCH_NAME": RESULT,
        "AGENT_PROMPT": "Replay",
        "TASK_ID": manifest.task_id,
        "SLIPGATE_AGENT": msgspec.json.encode(agent).decode(),
        "SLIPGATE_RUN_SECONDS": str(RUN_SECONDS),
        "SLIPGATE_STATE_DIR": str(folder / "state"),
        "SLIPGATE_DELIVERY_SECONDS": "0",
        "SLIPGATE_PYTHON": sys.executable,
    }
    if manifest.validate is not None:
        environ["SLIPGATE_VALIDATE"] = msgspec.json.encode(manifest.validate).decode()
    return environ


def _run(environ: Mapping[str, str], folder: Path) -> _End:
    """The final event of the runner, which has nobody to report to but its spool."""
    inherited = {name: without_slipgate().get(name, "") for name in ("PATH", "HOME", "LANG")}
    done = subprocess.run(
        ["bash", str(RUNNER)],
        env=inherited | dict(environ),
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
    )
    spool = folder / "state" / "spool.jsonl"
    lines = spool.read_bytes().splitlines() if spool.exists() else []
    for line in reversed(lines):
        body = msgspec.json.decode(line, type=_Line).body
        if msgspec.json.decode(body, type=_Named).type in ENDS:
            return msgspec.json.decode(body, type=_End)
    tail = (done.stdout + done.stderr).strip()[-1_000:]
    raise CommandFailed(f"The runner did not end its attempt:\n{tail}", "Report this.")


class _Named(msgspec.Struct, frozen=True):
    type: str
