"""The domain of a command: what it reaches, and what it does not."""

import os
import resource
import signal
import socket
import struct
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import pytest

from snapshot.runner.agent.command import CommandResult, Runner
from snapshot.runner.agent.landlock import Confinement, abi, missing_protection, open_sockets
from snapshot.runner.agent.syscall_filter import is_available, program
from snapshot.runner.stop import Stop
from tests.snapshot.patience import PATIENCE_SECONDS

SECRET = "hidden-from-everybody"
pytestmark = pytest.mark.skipif(abi() < 6, reason="the kernel has no such Landlock")


@dataclass(frozen=True, kw_only=True)
class Confined:
    """A state directory with the workdir of one command in it."""

    state: Path
    confinement: Confinement

    @property
    def workdir(self) -> Path:
        """The one of the command."""
        return self.state / "work-agent"

    def run(self, script: str) -> CommandResult:
        """Run a bash script in the checkout."""
        environ = {
            "PATH": os.environ["PATH"],
            "HOME": str(self.workdir / "home"),
            "TMPDIR": str(self.workdir / "tmp"),
        }
        return Runner(Stop(), self.confinement).run(
            ["bash", "-c", script],
            directory=self.workdir / "checkout",
            environ=environ,
            seconds=PATIENCE_SECONDS,
        )


@pytest.fixture
def place(tmp_path: Path) -> Confined:
    state = tmp_path / "state"
    for name in ("work-agent/checkout", "work-agent/home", "work-agent/tmp", "work-clean/checkout"):
        (state / name).mkdir(parents=True)
    for name in ("spool.jsonl", "trajectory.json", "work-clean/checkout/file"):
        (state / name).write_text(SECRET)
    return Confined(state=state, confinement=Confinement(hidden=(state,), version=abi()))


@pytest.fixture
def bystander() -> Iterator[int]:
    """A process of the same user that is neither the command's nor a child of ours: of those a
    runner leaves none behind."""
    begin = ["bash", "-c", "sleep 600 > /dev/null & echo $!"]
    begun = subprocess.run(begin, env={"KEY": SECRET}, stdout=subprocess.PIPE, check=True)
    pid = int(begun.stdout)
    yield pid
    os.kill(pid, signal.SIGKILL)


@pytest.mark.parametrize(
    "script",
    [
        "cat ../../spool.jsonl",
        "cat ../../trajectory.json",
        "cat ../../work-clean/checkout/file",
        "ln ../../spool.jsonl mine && cat mine",
        "ln -s ../../spool.jsonl mine && cat mine",
        "cp -r ../../work-clean mine && cat mine/checkout/file",
        "tar -cf - ../.. | cat",
        "mv ../../spool.jsonl mine && cat mine",
        "cat /proc/self/cwd/../../spool.jsonl",
        "cat < ../../spool.jsonl",
        "bash ../../spool.jsonl",
    ],
)
def test_what_is_hidden_is_not_read(place: Confined, script: str) -> None:
    assert SECRET not in place.run(script).output


@pytest.mark.parametrize(
    "script",
    [
        "touch ../beside",
        "touch ../../beside",
        "touch ../../../beside",
        "echo > ../../spool.jsonl",
        "truncate -s 0 ../../spool.jsonl",
        "rm ../../spool.jsonl",
        "rm -rf ../../work-clean",
        "mkdir ../.git",
        "rm -rf ../checkout/.; mv ../checkout ../elsewhere",
        "rmdir ../checkout",
        "ln -s / ../link",
        "mkfifo ../fifo",
        "mv ../home ../tmp/home",
        "touch /etc/slipgate-test",
        "touch /tmp/slipgate-test",
    ],
)
def test_nothing_is_changed_outside(place: Confined, script: str) -> None:
    before = _tree(place.state.parent)
    assert place.run(script).exit_code != 0
    assert _tree(place.state.parent) == before


@pytest.mark.parametrize("name", ["environ", "mem", "maps", "auxv", "fd/0", "cwd/x", "root/etc"])
def test_another_process_is_not_looked_into(place: Confined, bystander: int, name: str) -> None:
    finished = place.run(f"head -c 100 /proc/{bystander}/{name}; ls /proc/{bystander}/cwd/")
    assert "ermission denied" in finished.output
    assert SECRET not in finished.output


@pytest.mark.parametrize("number", ["0", "TERM", "KILL", "STOP"])
def test_another_process_is_not_signalled(place: Confined, bystander: int, number: str) -> None:
    finished = place.run(f"kill -{number} {bystander} && echo done; kill -9 -1")
    assert "done" not in finished.output
    assert _state(bystander) == "S"


def test_another_process_is_not_traced(place: Confined, bystander: int) -> None:
    attach = (
        "import ctypes; c = ctypes.CDLL(None, use_errno=True);"
        f" print(c.ptrace(16, {bystander}, 0, 0), ctypes.get_errno())"
    )
    assert place.run(f"python3 -c '{attach}'").output.strip() == "-1 1"


def test_an_abstract_socket_outside_is_not_reached(place: Confined) -> None:
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(f"\0slipgate-{os.getpid()}")
        server.listen()
        connect = (
            "import socket; s = socket.socket(socket.AF_UNIX);"
            f' s.connect(chr(0) + "slipgate-{os.getpid()}")'
        )
        assert "PermissionError" in place.run(f"python3 -c '{connect}'").output


def test_the_limits_of_another_process_are_not_changed(place: Confined, bystander: int) -> None:
    limit = f"import resource; resource.prlimit({bystander}, resource.RLIMIT_NOFILE, (3, 3))"
    assert "PermissionError" in place.run(f"python3 -c '{limit}'").output
    assert resource.prlimit(bystander, resource.RLIMIT_NOFILE)[1] > 3
    assert place.run("ulimit -n 64 && ulimit -n").output == "64\n"


STARVE = """
import ctypes, os, sys
who, set_io_priority = int(sys.argv[1]), {"x86_64": 251}.get(os.uname().machine, 30)
def check(answer):
    if answer: raise OSError
def set_affinity():
    os.sched_setaffinity(who, {max(before)})
    check(os.sched_getaffinity(who) == before)
before = os.sched_getaffinity(who)
for name, act in {
    "process": lambda: os.setpriority(os.PRIO_PROCESS, who, 19),
    "group": lambda: os.setpriority(os.PRIO_PGRP, who, 19),
    "user": lambda: os.setpriority(os.PRIO_USER, 0, 0),
    "disk": lambda: check(ctypes.CDLL(None).syscall(set_io_priority, 1, who, 3 << 13)),
    "processors": set_affinity,
    "idle": lambda: os.sched_setscheduler(who, os.SCHED_IDLE, os.sched_param(0)),
}.items():
    try:
        act()
        print(name)
    except OSError:
        pass
"""


def test_the_priority_of_another_process_is_not_changed(place: Confined) -> None:
    (place.workdir / "home/starve.py").write_text(STARVE)
    other = "setsid sleep 600 & python3 ~/starve.py $!; kill $!"
    changed = place.run(f"{other}; python3 ~/starve.py 0").output.split()
    processors = ["processors"] if len(os.sched_getaffinity(0)) > 1 else []
    assert changed == ["process", "group", "disk", *processors, "idle"], "each once: its own"


CONNECT = """
import ctypes, os, socket, sys
to, ways = ("127.0.0.1", int(sys.argv[1])), {
    "tcp": lambda s: s.connect(to),
    "mptcp": lambda s: s.connect(to),
    "smc": lambda s: s.connect(to),
    "sendto": lambda s: s.sendto(b"GET / HTTP/1.1", socket.MSG_FASTOPEN, to),
    "sendmsg": lambda s: s.sendmsg([b"GET / HTTP/1.1"], [], socket.MSG_FASTOPEN, to),
}
for name, way in ways.items():
    try:
        kind = {"smc": (43, 1, 0), "mptcp": (2, 1, 262)}.get(name, (2, 1, 6))
        with socket.socket(*kind) as s:
            way(s)
        print("connected by", name)
    except OSError as exc:
        print(name, exc.strerror)
print("io_uring", ctypes.CDLL(None).syscall(425, 1, ctypes.create_string_buffer(120)))
"""


def test_a_closed_port_is_not_reached_in_any_way_and_others_are(place: Confined) -> None:
    (place.workdir / "home/connect.py").write_text(CONNECT)
    with socket.create_server(("127.0.0.1", 0)) as closed, socket.create_server(("", 0)) as other:
        ports = [server.getsockname()[1] for server in (closed, other)]
        fenced = Confinement.made((place.state,), version=abi(), closed_ports=(ports[0],))
        assert fenced.warning is None
        place = replace(place, confinement=fenced)
        output, more = (place.run(f"python3 ~/connect.py {port}").output for port in ports)
    assert "connected" not in output
    assert "tcp Permission denied" in output
    assert "connected by tcp\n" in more
    assert "io_uring -1" in more


def test_sockets_in_the_file_system_that_no_rule_closes_are_named(tmp_path: Path) -> None:
    open_to_us, not_listening = tmp_path / "docker.sock", tmp_path / "other.sock"
    with socket.socket(socket.AF_UNIX) as server, socket.socket(socket.AF_UNIX) as other:
        server.bind(str(open_to_us))
        server.listen()
        other.bind(str(not_listening))
        output = str(open_sockets())
    assert str(open_to_us) in output
    assert str(not_listening) not in output
    assert str(open_to_us) not in str(open_sockets())


def test_a_kernel_that_cannot_close_ports_is_reported(tmp_path: Path) -> None:
    older = Confinement.made((tmp_path,), version=3, closed_ports=(2280,))
    assert "6.7" in str(older.warning)


def test_a_kernel_without_filters_of_calls_is_reported(tmp_path: Path) -> None:
    assert is_available()
    without = Confinement.made((tmp_path,), version=abi(), has_filter=False)
    assert "no filter of system calls" in str(without.warning)


@pytest.mark.parametrize("machine", ["x86_64", "aarch64"])
def test_the_filter_of_calls_jumps_nowhere_but_into_itself(machine: str) -> None:
    instructions = list(struct.iter_unpack("=HBBI", program(machine)))
    assert instructions[-1][0] == 0x06
    jumps = [(at, max(row[1], row[2])) for at, row in enumerate(instructions) if row[0] & 7 == 5]
    assert all(at + 1 + far < len(instructions) for at, far in jumps)


def test_another_machine_has_no_filter_of_calls() -> None:
    assert program("riscv64") == b""


def test_no_terminal_and_no_disk_is_opened(place: Confined) -> None:
    assert place.run("cat /dev/mem /dev/kmsg /dev/sda").exit_code != 0


MULTIPROCESSING = """
import multiprocessing, os, subprocess, tempfile
if __name__ == "__main__":
    with multiprocessing.Pool(2) as pool:
        assert pool.map(abs, [-1, -2]) == [1, 2]
    with tempfile.TemporaryDirectory() as folder:
        os.rename(folder, "moved")
        os.rename("moved", folder)
    print(open("/proc/self/maps").readline() != "")
"""


@pytest.mark.parametrize(
    "script",
    [
        "echo x > file; mv file ~/file; cp ~/file $TMPDIR; ln ~/file linked; rm -r linked ~/*",
        "git init -q . && echo > x && git add x && git gc -q && git stash list",
        "cat <<END\nhere\nEND",
        "cat <(echo there) > /dev/null 2>/dev/null",
        "printf 'all:\\n\\t@echo made > made\\n' > Makefile; make -s && test -s made",
        "python3 -m venv --without-pip venv && venv/bin/python -c 'import json'",
        f"cat > many.py <<'END'\n{MULTIPROCESSING}\nEND\npython3 many.py",
        "(sleep 600 & kill $!; wait $! || true); mkfifo fifo; (echo x > fifo &) ; cat fifo",
        "ls / /proc .. ../.. > /dev/null",
        "head -c 8 /dev/urandom | od > /dev/zero; echo > /dev/full || true",
        "cat /etc/hostname /proc/self/status /proc/cpuinfo > /dev/null",
    ],
)
def test_ordinary_work_is_done_as_ever(place: Confined, script: str) -> None:
    finished = place.run(f"set -e; {script}")
    assert finished.exit_code == 0, finished.output


def test_a_later_command_finds_what_an_earlier_one_left(place: Confined) -> None:
    place.run("echo kept > ~/file")
    assert place.run("cat ~/file").output == "kept\n"


@pytest.mark.parametrize("version", range(1, 8))
def test_each_version_of_landlock_is_used_for_what_it_can_do(place: Confined, version: int) -> None:
    older = replace(place.confinement, version=min(version, abi()))
    place = replace(place, confinement=older)
    finished = place.run("cat ../../spool.jsonl; touch ../x; echo fine > file; cat file")
    assert (finished.exit_code, finished.output.splitlines()[-1]) == (0, "fine")
    assert SECRET not in finished.output
    assert not (place.workdir / "x").exists()


@pytest.mark.parametrize(
    ("version", "words"),
    [
        (0, "no Landlock"),
        (2, "can end the runner and empty files"),
        (5, "can end the runner."),
        (6, None),
        (7, None),
    ],
)
def test_what_the_kernel_cannot_do_is_reported(version: int, words: str | None) -> None:
    sentence = missing_protection(version)
    assert (sentence is None) if words is None else (words in str(sentence))


def test_a_kernel_without_it_runs_commands_all_the_same(place: Confined) -> None:
    bare = replace(place, confinement=replace(place.confinement, version=0))
    assert bare.run("cat ../../spool.jsonl").output == SECRET


def _state(pid: int) -> str:
    return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]


def _tree(root: Path) -> list[tuple[str, int, bytes]]:
    return sorted(
        (str(path), path.lstat().st_ino, path.read_bytes() if path.is_file() else b"")
        for path in root.rglob("*")
    )
