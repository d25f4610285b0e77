"""The stand-in `docker`: what a launcher uses of release 28, with its texts and exit codes.

Checked call by call against the CLIs 28.2.2 and 20.10.24; the texts are of a daemon 20.10.24.
"""

import json
import os
import re
import shutil
import subprocess
import sys
import tarfile
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import redirect_stderr
from io import BytesIO, StringIO
from pathlib import Path
from typing import Any

from tests.docker.arguments import Line, Usage, parse
from tests.docker.daemon import ID, Daemon, Rejected
from tests.docker.release_20_10 import reworded
from tests.forks.programs import program

FAULTS = "faults.json"
CALLS = "calls.jsonl"
UNREACHABLE = (
    "Cannot connect to the Docker daemon at unix:///var/run/docker.sock. "
    "Is the docker daemon running?"
)
REFERENCE = re.compile(r"[a-z0-9]+([._/-]+[a-z0-9]+)*(:[\w][\w.-]{0,127})?(@sha256:[0-9a-f]{64})?")
LINE_BYTES = 64 * 1024
"""bufio.MaxScanTokenSize: the longest line of an env-file."""


class Fatal(Exception):
    """An error with an exit code of its own."""

    def __init__(self, message: str, code: int) -> None:
        super().__init__(message)
        self.code = code


def create(daemon: Daemon, line: Line, environ: Mapping[str, str]) -> int:
    """Creates without a start; 125 is for `run` alone."""
    (image,) = line.words
    if not REFERENCE.fullmatch(image):
        raise Fatal("invalid reference format", 1)
    made = daemon.create(_wanted(line, environ), line.text("name"), image)
    _print(made["Id"])
    return 0


def run(daemon: Daemon, line: Line, environ: Mapping[str, str]) -> int:
    """Creates and starts; 125 for docker's own failures."""
    image, *command = line.words
    if line.text("entrypoint"):
        return _other_entrypoint(daemon, image, line.text("entrypoint"), command)
    try:
        if not REFERENCE.fullmatch(image):
            raise Rejected("invalid reference format")
        made = daemon.create(_wanted(line, environ), line.text("name"), image)
    except Rejected as refused:
        raise Fatal(f"docker: {_message(refused)}\n\n{_more(line)}", 125) from refused
    _fault(daemon.folder, "run created")
    if command:
        raise NotImplementedError("a command of its own")
    try:
        daemon.start(made["Id"])
    except Rejected as refused:
        code = 127 if "unable to start container process" in str(refused) else 125
        raise Fatal(f"docker: {_message(refused)}\n\n{_more(line)}", code) from refused
    _print(made["Id"])
    return 0


def build(daemon: Daemon, line: Line, _: Mapping[str, str]) -> int:
    """Builds from a folder with a Dockerfile: its `RUN test` lines and last ENTRYPOINT count."""
    folder = Path(line.words[0])
    rows = (folder / "Dockerfile").read_text().splitlines()
    for row in rows:
        sys.stderr.write(f"#1 {row}\n")
        if (
            row.startswith("COPY ")
            and "--from=" not in row
            and not all((folder / name).exists() for name in row.split()[1:-1])
        ):
            raise Rejected(f"failed to solve: {row}: not found")
        if test := re.fullmatch(r'RUN test "\$\((.*)\)" = "(.*)"', row):
            output = _in_image(folder, test[1].split()).stdout.strip()
            if output != test[2]:
                raise Rejected(f"failed to solve: process {row!r} did not complete: exit code: 1")
    entrypoint = [json.loads(row[11:]) for row in rows if row.startswith("ENTRYPOINT [")][-1]
    kept = daemon.folder / "builds" / re.sub(r"\W", "_", line.text("tag"))
    shutil.rmtree(kept, ignore_errors=True)
    shutil.copytree(folder, kept)
    daemon.add_image(line.text("tag"), entrypoint, {"platform": line.text("platform")}, kept)
    return 0


def _other_entrypoint(daemon: Daemon, image: str, program: str, words: Sequence[str]) -> int:
    folder = daemon.image_folder(image)
    if folder is None:
        raise Fatal(f"docker: Error response from daemon: No such image: {image}", 125)
    ran = _in_image(folder, [program, *words])
    sys.stdout.write(ran.stdout)
    sys.stderr.write(ran.stderr)
    return ran.returncode


def _in_image(folder: Path, words: Sequence[str]) -> subprocess.CompletedProcess[str]:
    """Maps the image's /app to the folder on this host."""
    here = [word.replace("/app/", f"{folder}/") for word in words]
    python = [sys.executable if word == "python3" else word for word in here]
    return subprocess.run(python, capture_output=True, text=True, check=False)


def start(daemon: Daemon, line: Line, _: Mapping[str, str]) -> int:
    """Starts each by name; attached, passes on its output and exit code."""
    name = line.words[0]
    before = daemon.printed(name)
    try:
        daemon.start(name)
    except Rejected as refused:
        raise Fatal(
            f"{_message(refused)}\nError: failed to start containers: {name}", 1
        ) from refused
    if line.text("attach"):
        return daemon.attach(name, sys.stdout.buffer, before)
    _print(name)
    return 0


def stop(daemon: Daemon, line: Line, _: Mapping[str, str]) -> int:
    """Stops each with a time limit."""
    daemon.stop(line.words[0], float(line.text("time", "10")))
    _print(line.words[0])
    return 0


def rm(daemon: Daemon, line: Line, _: Mapping[str, str]) -> int:
    """With force, a missing container is no failure, and a running one is killed."""
    try:
        found = daemon.find(line.words[0])
        if found["State"]["Running"] and not line.text("force"):
            raise Rejected(
                f"You cannot remove a running container {found['Id']}. Stop the container before "
                "attempting removal or force remove"
            )
        daemon.remove(line.words[0])
    except Rejected as refused:
        if not line.text("force"):
            raise
        sys.stderr.write(f"{_message(refused)}\n")
        return 0
    _print(line.words[0])
    return 0


def ps(daemon: Daemon, line: Line, _: Mapping[str, str]) -> int:
    """Prints ids, newest last, or the given format."""
    for each in daemon.containers():
        is_shown = each["State"]["Running"] or line.text("all")
        if is_shown and _is_wanted(each, line.flags["filter"]):
            if line.text("format"):
                _print(_formatted(line.text("format"), each))
            else:
                _print(each["Id"] if line.text("no-trunc") else each["Id"][:12])
    return 0


def _is_wanted(container: Mapping[str, Any], filters: Sequence[str]) -> bool:
    """True if every label and one of the states match."""
    labels, states = container["Config"]["Labels"], []
    for text in filters:
        kind, _, wanted = text.partition("=")
        name, equals, value = wanted.partition("=")
        if kind == "status":
            states.append(wanted)
        elif name not in labels or (equals and labels[name] != value):
            return False
    return not states or container["State"]["Status"] in states


def _formatted(template: str, container: Mapping[str, Any]) -> str:
    """Go's templates, as far as `.Names` and `.Label`."""
    text = template.replace("{{.Names}}", container["Name"][1:])
    return re.sub(
        r'\{\{\.Label "([^"]+)"\}\}', lambda found: container["Config"]["Labels"][found[1]], text
    )


def logs(daemon: Daemon, line: Line, _: Mapping[str, str]) -> int:
    """Prints both streams apart."""
    found = daemon.find(line.words[0])
    last = int(line.text("tail", "1000000"))
    for which, stream in (("out", sys.stdout), ("err", sys.stderr)):
        path = daemon.output(found, which)
        rows = path.read_text().splitlines(keepends=True) if path.exists() else []
        stream.write("".join(rows[-last:]))
    return 0


def cp(daemon: Daemon, line: Line, _: Mapping[str, str]) -> int:
    """Copies out of or into a container, running or not, as a tar archive."""
    source, target = line.words
    if source == "-":
        return _put(daemon, *target.split(":", 1))
    name, path = source.split(":", 1)
    if target != "-":
        raise NotImplementedError("into a folder")
    found = daemon.find(name)
    place = Path(f"{daemon.root(found)}{path}")
    if not place.is_symlink() and not place.exists():
        raise Rejected(f"Could not find the file {path} in container {name}")
    archive = BytesIO()
    with tarfile.open(fileobj=archive, mode="w", format=tarfile.PAX_FORMAT) as tar:
        tar.add(place, arcname=place.name)
    sys.stdout.buffer.write(archive.getvalue())
    return 0


def _put(daemon: Daemon, name: str, path: str) -> int:
    """The target folder must exist; ours is created on demand."""
    folder = Path(f"{daemon.root(daemon.find(name))}{path}")
    if path != "/tmp" and not folder.is_dir():
        raise Rejected(f"Could not find the file {path} in container {name}")
    folder.mkdir(exist_ok=True)
    with tarfile.open(fileobj=BytesIO(sys.stdin.buffer.read())) as tar:
        tar.extractall(folder, filter="tar")
    return 0


def execute(daemon: Daemon, line: Line, _: Mapping[str, str]) -> int:
    """Exits with the code of the command."""
    name, *command = line.words
    return daemon.execute(name, command)


def info(daemon: Daemon, line: Line, _: Mapping[str, str]) -> int:
    """Prints the daemon's id."""
    if line.text("format") != "{{.ID}}":
        raise NotImplementedError("the whole of it")
    _print(ID)
    return 0


def container_inspect(daemon: Daemon, line: Line, _: Mapping[str, str]) -> int:
    """Prints the existing ones, and an error for each missing one."""
    found: list[Mapping[str, Any]] = []
    missing: list[str] = []
    for name in line.words:
        try:
            found.append(daemon.find(name))
        except Rejected as refused:
            missing.append(_message(refused))
    return _inspected(found, missing)


def image_inspect(daemon: Daemon, line: Line, _: Mapping[str, str]) -> int:
    """Fails for a missing image."""
    name = line.words[0]
    if daemon.image_folder(name) is None:
        raise Rejected(f"No such image: {name if ':' in name else f'{name}:latest'}")
    is_entrypoint = line.text("format") == "{{json .Config.Entrypoint}}"
    _print(json.dumps(daemon.entrypoint(name)) if is_entrypoint else "sha256:1f")
    return 0


def network_inspect(daemon: Daemon, line: Line, _: Mapping[str, str]) -> int:
    """Prints the existing ones, and an error for each missing one."""
    known = {each["Name"]: each for each in daemon.networks()}
    found = [known[name] for name in line.words if name in known]
    missing = [
        f"Error response from daemon: network {name} not found"
        for name in line.words
        if name not in known
    ]
    return _inspected(found, missing)


def network_create(daemon: Daemon, line: Line, _: Mapping[str, str]) -> int:
    _print(daemon.create_network(line.words[0], line.pairs("opt")))
    return 0


Command = Callable[[Daemon, Line, Mapping[str, str]], int]
COMMANDS: dict[tuple[str, ...], Command] = {
    ("build",): build,
    ("create",): create,
    ("run",): run,
    ("start",): start,
    ("stop",): stop,
    ("rm",): rm,
    ("ps",): ps,
    ("logs",): logs,
    ("cp",): cp,
    ("exec",): execute,
    ("info",): info,
    ("container", "inspect"): container_inspect,
    ("image", "inspect"): image_inspect,
    ("network", "inspect"): network_inspect,
    ("network", "create"): network_create,
}


def main(daemon: Daemon, arguments: Sequence[str], environ: Mapping[str, str]) -> int:
    """Runs the command and returns its exit code."""
    with (daemon.folder / CALLS).open("a") as calls:
        calls.write(json.dumps([list(arguments), sorted(environ)]) + "\n")
    try:
        line = parse(arguments)
    except Usage as usage:
        name = arguments[0]
        sys.stderr.write(
            f"{usage}\n\nUsage:  docker {name} [OPTIONS]\n\n"
            f"Run 'docker {name} --help' for more information\n"
        )
        return 125
    _fault(daemon.folder, " ".join(line.command))
    try:
        if daemon.is_down:
            prefix = "docker: " if line.command == ("run",) else ""
            tail = f"\n\n{_more(line)}" if prefix else ""
            raise Fatal(f"{prefix}{UNREACHABLE}{tail}", 125 if prefix else 1)
        code = COMMANDS[line.command](daemon, line, environ)
    except Rejected as refused:
        sys.stderr.write(f"{_message(refused)}\n")
        return 1
    except Fatal as fatal:
        sys.stderr.write(f"{fatal}\n")
        return fatal.code
    _fault(daemon.folder, f"{' '.join(line.command)} answered")
    return code


def environment_of(line: Line, environ: Mapping[str, str]) -> list[str]:
    """Variables from the files, then from the flags; a name without a value takes the CLI's own."""
    given: dict[str, str] = {}
    for path in line.flags.get("env-file", ()):
        for number, row in enumerate(Path(path).read_bytes().split(b"\n"), start=1):
            if len(row) >= LINE_BYTES:
                raise Fatal("docker: bufio.Scanner: token too long", 125)
            _add(given, _row(row, number), environ)
    for entry in line.flags.get("env", ()):
        _add(given, entry, environ)
    return [f"{name}={value}" for name, value in given.items()]


def _row(row: bytes, number: int) -> str:
    try:
        text = row.decode().removesuffix("\r").lstrip()
    except UnicodeDecodeError as error:
        raise Fatal(f"docker: invalid utf8 bytes at line {number}", 125) from error
    if text.startswith("#"):
        return ""
    if re.search(r"[ \t]", text.partition("=")[0]):
        raise Fatal(f"docker: variable '{text.partition('=')[0]}' contains whitespaces", 125)
    return text


def _add(given: dict[str, str], entry: str, environ: Mapping[str, str]) -> None:
    name, equals, value = entry.partition("=")
    if equals:
        given[name] = value
    elif name in environ:
        given[name] = environ[name]


def _wanted(line: Line, environ: Mapping[str, str]) -> dict[str, Any]:
    host: dict[str, Any] = {
        name: line.flags.get(flag)
        for name, flag in (("SecurityOpt", "security-opt"), ("CapDrop", "cap-drop"))
    }
    host |= {
        name: line.text(flag)
        for name, flag in (
            ("Memory", "memory"),
            ("MemorySwap", "memory-swap"),
            ("Cpus", "cpus"),
            ("PidsLimit", "pids-limit"),
            ("RestartPolicy", "restart"),
            ("LogConfig", "log-driver"),
            ("Init", "init"),
        )
    }
    host["NetworkMode"] = line.text("network", "default")
    config = {"Env": environment_of(line, environ), "Labels": line.pairs("label")}
    return {"Config": config, "HostConfig": host}


def _inspected(found: Sequence[Mapping[str, Any]], missing: Sequence[str]) -> int:
    _print(json.dumps(found, indent=4))
    sys.stderr.write("".join(f"{row}\n" for row in missing))
    return 1 if missing else 0


def _message(refused: Rejected) -> str:
    is_own = str(refused).startswith("invalid reference")
    return str(refused) if is_own else f"Error response from daemon: {refused}"


def _more(line: Line) -> str:
    return f"Run 'docker {' '.join(line.command)} --help' for more information"


def _print(text: str) -> None:
    sys.stdout.write(f"{text}\n")


def _fault(folder: Path, at: str) -> None:
    """The first planned fault, if it is for this step."""
    path = folder / FAULTS
    planned: list[dict[str, Any]] = json.loads(path.read_text()) if path.exists() else []
    if not planned or planned[0]["at"] != at:
        return
    fault, *left = planned
    path.write_text(json.dumps(left))
    sys.stdout.flush()
    match fault["kind"]:
        case "hang":
            time.sleep(3_600)
        case "killed":
            os.kill(os.getpid(), 9)
        case "print":
            sys.stdout.write(fault.get("out", ""))
            sys.stderr.write(fault.get("err", ""))
            sys.stdout.flush()
            os._exit(fault.get("code", 0))
        case kind:
            raise ValueError(f"no such fault: {kind}")


def install(folder: Path) -> tuple[Path, Daemon]:
    """Writes the executable `docker` and its daemon into the folder."""
    daemon = Daemon(folder / "daemon")
    daemon.folder.mkdir(parents=True)
    path = program(folder / "docker", "tests.docker.cli:typed", str(daemon.folder))
    return path, daemon


def typed(folder: str) -> int:
    """Entry point of the executable."""
    daemon = Daemon(Path(folder))
    if not daemon.is_old:
        return main(daemon, sys.argv[1:], os.environ)
    errors = StringIO()
    with redirect_stderr(errors):
        code = main(daemon, sys.argv[1:], os.environ)
    sys.stderr.write(reworded(sys.argv[1:], errors.getvalue()))
    return code
