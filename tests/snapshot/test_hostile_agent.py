"""A hostile agent, as our own user and as another one behind an init process: nothing succeeds.

Each run costs seconds, so the attacks are many and the runs are few.
"""

import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from snapshot.runner.agent.landlock import abi
from tests.snapshot import hunter, other_user
from tests.snapshot.conftest import made
from tests.snapshot.http_stub import Response
from tests.snapshot.model_stub import DONE
from tests.snapshot.patience import is_alive
from tests.snapshot.repositories import FIX, Bare
from tests.snapshot.sandbox import BRANCH, SCRIPT, SECRETS, Sandbox

confined = pytest.mark.skipif(abi() < 6, reason="the kernel has no such Landlock")
UNCONFINED = """
import sys
from pathlib import Path
sys.path.insert(0, {folder!r})
from runner import start
start.start(Path(__file__), landlock=0)
"""
ASK_MODEL = """python3 -c "
import os, urllib.request
headers = {'x-api-key': os.environ['ANTHROPIC_API_KEY']}
url = os.environ['ANTHROPIC_BASE_URL'] + '/v1/messages'
urllib.request.urlopen(urllib.request.Request(url, b'{}', headers)).read()
\""""


@pytest.fixture
def sandbox(template: Path) -> Iterator[Sandbox]:
    root = Path(tempfile.mkdtemp(prefix="slipgate-hostile-"))
    root.chmod(0o755)
    shutil.copytree(template, root / "remote")
    sandbox = made(root, Bare(root / "remote"))
    sandbox.starts_at_the_entrypoint()
    yield sandbox
    other_user.give(root, sandbox.shared, to=os.getuid())
    sandbox.close()
    shutil.rmtree(root)


def hunts(sandbox: Sandbox, *secrets: str) -> str:
    """The command of an agent that attacks, after some secrets or all; its program lies outside."""
    program = sandbox.root / "hunter.py"
    shutil.copy(hunter.__file__, program)
    program.chmod(0o644)
    patterns = ",".join(value.encode().hex() for value in secrets or SECRETS.values())
    return f"python3 {program} {sandbox.shared} {patterns}"


def runs_program(sandbox: Sandbox, script: str) -> None:
    """Let a bash script be the program of the engine `claude-code`."""
    sandbox.model.answer = lambda _: Response(content={})
    program = sandbox.root / "programs" / "claude"
    program.parent.mkdir()
    sandbox.environ |= {
        "PATH": f"{program.parent}:{sandbox.environ['PATH']}",
        "SLIPGATE_AGENT": '{"engine": "claude-code", "maxRepairRounds": 0}',
        "MODEL_PROVIDER": "anthropic",
        "MODEL": "claude-sonnet-4-5",
        "ANTHROPIC_BASE_URL": sandbox.model.http.url,
    }
    program.with_name("script").write_text(f"set -e\ncat > /dev/null\n{script}\n")
    # The hunter spares shells: by their names.
    program.write_text('#!/bin/sh\nexec bash "$(dirname "$0")/script"\n')
    program.chmod(0o755)


def run_as_other(sandbox: Sandbox, **more: str) -> int:
    """Run it behind an init; what it left is ours again."""
    sandbox.command = other_user.as_other(other_user.behind_init(sandbox.command), sandbox.shared)
    other_user.give(sandbox.root, sandbox.shared, to=other_user.NUMBER)
    code = sandbox.run(**more)
    other_user.give(sandbox.root, sandbox.shared, to=os.getuid())
    return code


def found(sandbox: Sandbox) -> str:
    """Whatever it got hold of."""
    note = sandbox.shared / "found"
    return note.read_text() if note.exists() else ""


def check_nothing_happened(sandbox: Sandbox, main: str) -> None:
    """Neither by the agent's commands, nor by those of the validation."""
    assert found(sandbox) == ""
    assert (sandbox.shared / "attacks").read_text() == "begun\nended\nbegun\nended\n"
    assert not is_alive(sandbox.shared / "waiting")
    assert sandbox.remote.branches()["main"] == main
    assert sandbox.remote.show(BRANCH, "widgets.py") == "def double(n):\n    return 2 * n"
    assert "waiting" not in sandbox.remote.files(BRANCH)
    assert len(sandbox.github.pulls) == 1


@confined
def test_nothing_succeeds_that_an_agent_of_our_own_user_tries(
    sandbox: Sandbox, tmp_path: Path
) -> None:
    key = tmp_path / "key"
    subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", key], check=True)
    private = key.read_text()
    key.unlink()
    main = sandbox.remote.branches()["main"]
    hunt = hunts(sandbox, *SECRETS.values(), private.splitlines()[3])
    sandbox.model.commands = [f"{FIX}; {hunt}", DONE]
    sandbox.validates(["sh", "-c", hunt])
    sandbox.environ["SLIPGATE_SIGNING_KEY"] = private
    launcher = sandbox.root / "launcher"
    launcher.mkdir()
    (launcher / "keys").write_text("\n".join(SECRETS.values()))
    # A folder that is named from where a program stands is the agent's own.
    more = {"PATH": f"bin:.:{os.environ['PATH']}", "SLIPGATE_HIDDEN": str(launcher)}
    assert sandbox.run(**more) == 0, sandbox.printed()
    check_nothing_happened(sandbox, main)
    last = sandbox.gateway.last
    assert last.type == "task.completed"
    assert last.data["prUrl"] == sandbox.github.pulls[0]["html_url"]
    assert "no Landlock" not in str(last.data.get("warnings"))
    assert [event.id for event in sandbox.gateway.events] == [w["id"] for w in sandbox.spooled()]


@confined
def test_nothing_succeeds_that_another_user_behind_an_init_tries_and_it_cannot_silence_a_spool(
    sandbox: Sandbox,
) -> None:
    main = sandbox.remote.branches()["main"]
    hunt = f"{hunts(sandbox)} daytona"
    runs_program(sandbox, f"{FIX}; {ASK_MODEL}; {hunt}")
    sandbox.validates(["sh", "-c", hunt])
    code = run_as_other(sandbox, SLIPGATE_WEBHOOK_URL="", DAYTONA_SANDBOX_ID="s")
    assert code == 0, sandbox.printed()
    keys = [request.headers["x-api-key"] for request in sandbox.model.requests]
    assert keys == [SECRETS["ANTHROPIC_API_KEY"]], "which the program never had"
    check_nothing_happened(sandbox, main)
    types = [str(body["type"]) for body in sandbox.spooled_bodies()]
    assert (types[0], types[-1]) == ("task.started", "task.completed")
    assert "task.patch" in types


def test_where_the_kernel_cannot_confine_it_that_is_reported_and_the_spool_is_kept(
    sandbox: Sandbox,
) -> None:
    entry = sandbox.root / "unconfined.py"
    entry.write_text(UNCONFINED.format(folder=str(SCRIPT.parent)))
    sandbox.command = [sys.executable, "-I", str(entry)]
    token = SECRETS["GITHUB_TOKEN"]
    sandbox.agent_is(
        f"{FIX}; {hunts(sandbox, token)} hunt;"
        ' cd "$(realpath "$HOME/../..")"; rm spool.jsonl; mkdir spool.jsonl;'
        " touch spool.jsonl/x; echo 99999999 > spool.acknowledged; chmod 000 . ; true"
    )
    assert run_as_other(sandbox, SLIPGATE_WEBHOOK_URL="") == 0, sandbox.printed()
    assert "/environ" in found(sandbox), "so there is something to be found"
    bodies = sandbox.spooled_bodies()
    assert bodies[-1]["type"] == "task.completed"
    data = bodies[-1]["data"]
    assert isinstance(data, dict)
    assert "no Landlock" in str(data["warnings"])
    assert len([body for body in bodies if "no Landlock" in str(body)]) > 1
