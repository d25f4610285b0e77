"""The program entry that finds an agent's work when its runner is gone."""

import base64
import gzip
import json
import os
import shutil
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import pytest

from tests.forks.programs import shared
from tests.snapshot.conftest import made
from tests.snapshot.patience import PATIENCE_SECONDS, until
from tests.snapshot.repositories import FIX, Bare, git
from tests.snapshot.sandbox import SCRIPT, Sandbox

ENTRY = (sys.executable, "-I", str(SCRIPT.with_name("agent-runner.py")), "--rescue")


def rescued(state: Path, program: Sequence[str] = ENTRY) -> list[dict[str, object]]:
    """The lines of the entry."""
    done = subprocess.run(
        [*program, str(state)],
        env={"PATH": os.environ["PATH"]},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        timeout=PATIENCE_SECONDS,
        check=True,
    )
    return [json.loads(line) for line in done.stdout.splitlines()]


def text_of(pieces: list[dict[str, object]]) -> str:
    """The patch that the lines hold."""
    text = b""
    for piece in pieces:
        assert piece["offset"] == len(text)
        chunk = str(piece["chunk"]).encode()
        text += gzip.decompress(base64.b64decode(chunk)) if "encoding" in piece else chunk
    assert len(text) == pieces[0]["size"]
    return text.decode()


@pytest.fixture(scope="session")
def killed(template: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The state directory of an agent that was killed with its runner in the middle of its work."""
    root = tmp_path_factory.mktemp("killed")
    sandbox = made(root, Bare(template))
    there = sandbox.shared / "there"
    sandbox.agent_is(f"{FIX}; seq 100000 > numbers.txt; touch {there}; sleep 600")
    process = sandbox.start()
    until(there.exists, "the agent's work")
    sandbox.kill(process)
    sandbox.close()
    return sandbox.state


@pytest.fixture
def left(killed: Path, tmp_path: Path) -> Path:
    """A copy of it for one test."""
    return shutil.copytree(killed, tmp_path / "left", symlinks=True)


def test_the_work_of_a_killed_agent_is_found(remote: Bare, left: Path) -> None:
    pieces = rescued(left)
    assert pieces[0]["partial"] is True
    assert pieces[0]["baseSha"] == remote.branches()["main"]
    text = text_of(pieces)
    assert "+    return 2 * n" in text
    assert "+100000" in text
    applied = git("apply", "--numstat", "-", at=left, text=text)
    assert applied.splitlines() == ["100000\t0\tnumbers.txt", "1\t1\twidgets.py"]


def test_where_nothing_lies_nothing_is_printed(sandbox: Sandbox, tmp_path: Path) -> None:
    assert rescued(tmp_path / "nowhere") == []
    tmp_path.joinpath("empty").mkdir()
    assert rescued(tmp_path / "empty") == []
    sandbox.agent_is("true")
    assert sandbox.run() == 0
    assert rescued(sandbox.state) == []


HOSTILE = [
    "ln -sfn /etc {origin}",
    "rm work.json; ln -s /etc/passwd work.json",
    "rm work.json; mkfifo work.json",
    "rm work.json; mkdir work.json",
    "sed -i 's/checkout/..\\/..\\/etc/g' work.json",
    "truncate -s 3G work.json",
    "rm -rf {agent}/checkout; ln -s / {agent}/checkout",
    "mv {agent} a; ln -s a {agent}",
    "rm -rf {origin}/main/.git/objects; mkfifo {origin}/main/.git/objects",
    "mkfifo {origin}/main/.git/objects/pack/pack-{sha}.idx",
    "head -c 9999 /dev/urandom > {origin}/main/.git/starting-index",
    "rm {origin}/main/.git/starting-index; mkfifo {origin}/main/.git/starting-index",
    "truncate -s 30G {agent}/checkout/sparse; mkfifo {agent}/checkout/pipe",
    (
        "for k in core.fsmonitor diff.external core.pager core.sshCommand; do"
        " git config -f {origin}/main/.git/config $k 'touch {root}/ran';"
        " git config -f {agent}/checkout/.git/config $k 'touch {root}/ran'; done;"
        " mkdir -p {origin}/main/.git/hooks; printf '#!/bin/sh\\ntouch {root}/ran'"
        " > {origin}/main/.git/hooks/post-index-change; chmod +x {origin}/main/.git/hooks/*"
    ),
]


@pytest.mark.parametrize("script", HOSTILE)
def test_whatever_lies_there_nothing_of_it_runs_or_holds_it_up(
    left: Path, tmp_path: Path, script: str
) -> None:
    (origin,), (agent,) = left.glob("work-origin-*"), left.glob("work-agent-*")
    names = {"origin": origin.name, "agent": agent.name, "root": tmp_path, "sha": "1" * 40}
    subprocess.run(["bash", "-c", script.format(**names)], cwd=left, check=True)
    pieces = rescued(left, [shared("rescue", "tests.snapshot.attempt:rescuing")])
    assert not (tmp_path / "ran").exists()
    if pieces:
        assert "root:" not in text_of(pieces), "nothing of the host's"
