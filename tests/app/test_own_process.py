"""Our own processes show nothing of their variables to others of their user."""

import subprocess
import sys
from pathlib import Path

SECRET = "sk-shown-to-nobody"
PROGRAM = """
import os, subprocess, sys
from gateway.wire.own_process import close_own_process
close_own_process()
inherited = subprocess.run(["printenv", "KEY"], stdout=subprocess.PIPE, check=True).stdout.decode()
print(os.environ["KEY"], inherited.strip(), flush=True)
sys.stdin.read()
"""


def test_a_closed_process_keeps_its_variables_and_shows_none() -> None:
    with subprocess.Popen(
        [sys.executable, "-c", PROGRAM],
        env={"KEY": SECRET, "PATH": "/usr/bin:/bin"},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as process:
        assert process.stdout
        assert process.stdout.readline().split() == [SECRET, SECRET]
        proc = Path(f"/proc/{process.pid}")
        assert SECRET.encode() not in (proc / "environ").read_bytes()
        assert proc.joinpath("environ").stat().st_uid == 0, "not dumpable: root's"
        process.communicate("")
