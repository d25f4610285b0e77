"""The stand-in's daemon: a folder. Containers are real processes, each with a root of its own.

A process cannot be confined to that root. Instead its home and the folder of `SLIPGATE_STATE_DIR`
are moved there, for its entrypoint, for `exec` and for `cp` alike.
"""

import contextlib
import fcntl
import json
import os
import re
import signal
import subprocess
import time
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import IO, Any

ID = "7f0c1a52-9d3e-4b7b-9a55-0f6f3a1d2c44"
NOT_FOUND = (
    "failed to create task for container: failed to create shim task: OCI runtime create failed: "
    'runc create failed: unable to start container process: exec: "{}": {}: unknown'
)
NOT_ON_PATH = "executable file not found in $PATH"
NAME = re.compile(r"[a-zA-Z0-9][a-zA-Z0-9_.-]+")
MOVED = ("SLIPGATE_STATE_DIR", "HOME")


class Rejected(Exception):
    """The daemon's error response."""


class Daemon:
    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def add_image(
        self,
        name: str,
        entrypoint: Sequence[str],
        labels: Mapping[str, str] | None = None,
        content: Path | None = None,
        *,
        search: str = os.defpath,
    ) -> None:
        """A runnable image; `content` becomes its /app, `search` its PATH."""
        path = self.folder / "images.json"
        images = _read(path) if path.exists() else {}
        image = {
            "entrypoint": list(entrypoint),
            "labels": labels or {},
            "content": str(content),
            "search": search,
        }
        _write(path, {**images, name: image})

    def image_folder(self, name: str) -> Path | None:
        """The image's /app."""
        path = self.folder / "images.json"
        found = (_read(path) if path.exists() else {}).get(name)
        return Path(found["content"]) if found else None

    def entrypoint(self, name: str) -> Sequence[str]:
        """The words of an image's entrypoint."""
        words: Sequence[str] = _read(self.folder / "images.json")[name]["entrypoint"]
        return words

    @property
    def is_old(self) -> bool:
        """True if the CLI is of release 20.10."""
        return (self.folder / "old").exists()

    def goes(self, *, down: bool) -> None:
        """Makes the daemon reachable, or not."""
        if down:
            (self.folder / "down").touch()
        else:
            (self.folder / "down").unlink()

    def becomes_old(self) -> None:
        (self.folder / "old").touch()

    @property
    def is_down(self) -> bool:
        """True if the daemon cannot be reached."""
        return (self.folder / "down").exists()

    @contextlib.contextmanager
    def alone(self) -> Iterator[None]:
        """Lets one process change the state at a time."""
        with (self.folder / "lock").open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            yield

    def containers(self) -> list[dict[str, Any]]:
        """All containers, as `inspect` shows them."""
        return [_read(path) for path in sorted(self.folder.glob("containers/*/container.json"))]

    def networks(self) -> list[dict[str, Any]]:
        """All networks, as `inspect` shows them."""
        return [_read(path) for path in sorted(self.folder.glob("networks/*.json"))]

    def find(self, name: str) -> dict[str, Any]:
        """Looks up by name, id, or the beginning of an id."""
        for found in self.containers():
            if name in (found["Id"], found["Name"][1:]) or found["Id"].startswith(name):
                return found
        raise Rejected(f"No such container: {name}")

    def root(self, found: Mapping[str, Any]) -> Path:
        """The container's file system."""
        return self._directory(found) / "root"

    def create(self, wanted: Mapping[str, Any], name: str, image: str) -> dict[str, Any]:
        """Creates without a start."""
        images = _read(self.folder / "images.json")
        if image not in images:
            tag = "" if ":" in image else ":latest"
            raise Rejected(f"No such image: {image}{tag}")
        if not NAME.fullmatch(name):
            raise Rejected(
                f"Invalid container name ({name}), only [a-zA-Z0-9][a-zA-Z0-9_.-] are allowed"
            )
        with self.alone():
            for other in self.containers():
                if other["Name"] == f"/{name}":
                    raise Rejected(
                        f'Conflict. The container name "/{name}" is already in use by container '
                        f'"{other["Id"]}". You have to remove (or rename) that container to be '
                        "able to reuse that name."
                    )
            made = {**wanted, "Id": os.urandom(32).hex(), "Name": f"/{name}", "Created": now()}
            made["Config"] = {
                **wanted["Config"],
                "Image": image,
                "Entrypoint": images[image]["entrypoint"],
                "Labels": {**images[image]["labels"], **wanted["Config"]["Labels"]},
            }
            made["State"] = _state("created")
            self.root(made).mkdir(parents=True)
            self.save(made)
        return made

    def start(self, name: str) -> None:
        """Runs the entrypoint, unless the container runs."""
        with self.alone():
            found = self.find(name)
            if found["State"]["Running"]:
                return
            network = found["HostConfig"]["NetworkMode"]
            try:
                if network not in {each["Name"] for each in self.networks()}:
                    raise Rejected(
                        f"failed to set up container networking: network {network} not found"
                    )
                self._run(found)
            except Rejected as refused:
                code = 127 if "unable to start container process" in str(refused) else 128
                found["State"] = _state("created", Error=str(refused), ExitCode=code)
                self.save(found)
                raise

    def execute(self, name: str, command: Sequence[str]) -> int:
        """Runs a command beside the entrypoint."""
        found = self.find(name)
        if not found["State"]["Running"]:
            raise Rejected(f"container {found['Id']} is not running")
        ran = subprocess.run(
            command,
            cwd=self.root(found),
            env=self._environment(found),
            stdin=subprocess.DEVNULL,
            check=False,
        )
        return ran.returncode

    def printed(self, name: str) -> int:
        """Bytes of standard output so far."""
        path = self.output(self.find(name), "out")
        return path.stat().st_size if path.exists() else 0

    def attach(self, name: str, target: IO[bytes], offset: int) -> int:
        """Its output after an offset until it ends, then its exit code."""
        path = self.output(self.find(name), "out")
        while True:
            is_over = not self.find(name)["State"]["Running"]
            with path.open("rb") as output:
                output.seek(offset)
                piece = output.read()
            target.write(piece)
            offset += len(piece)
            if is_over:
                return int(self.find(name)["State"]["ExitCode"])
            time.sleep(0.01)

    def stop(self, name: str, seconds: float) -> None:
        """SIGTERM, then SIGKILL to all processes in it."""
        found = self.find(name)
        if not found["State"]["Running"]:
            return
        pid = found["State"]["Pid"]
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGTERM)
        if not self._wait(name, seconds):
            self.kill(name)

    def kill(self, name: str) -> None:
        found = self.find(name)
        if found["State"]["Running"]:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(found["State"]["Pid"], signal.SIGKILL)
            self._wait(name, 20)

    def remove(self, name: str) -> None:
        """Removes it with all its files."""
        self.kill(name)
        found = self.find(name)
        away = self.folder / "removed" / found["Id"]
        away.parent.mkdir(exist_ok=True)
        self._directory(found).rename(away)

    def create_network(self, name: str, options: Mapping[str, str]) -> str:
        """Creates a bridge."""
        with self.alone():
            if any(each["Name"] == name for each in self.networks()):
                raise Rejected(f"network with name {name} already exists")
            made = {"Name": name, "Id": os.urandom(32).hex(), "Options": dict(options)}
            (self.folder / "networks").mkdir(exist_ok=True)
            _write(self.folder / "networks" / f"{name}.json", made)
        return str(made["Id"])

    def save(self, container: Mapping[str, Any]) -> None:
        _write(self._directory(container) / "container.json", container)

    def output(self, found: Mapping[str, Any], name: str) -> Path:
        """Output of the entrypoint: `out` or `err`."""
        return self._directory(found) / name

    def close(self) -> None:
        """Kills all containers."""
        for each in self.containers():
            with contextlib.suppress(Rejected):
                self.kill(each["Id"])

    def _directory(self, found: Mapping[str, Any]) -> Path:
        return self.folder / "containers" / str(found["Id"])

    def _run(self, found: dict[str, Any]) -> None:
        """Leaves a reaper behind, which waits for the process and records its exit code."""
        reader, writer = os.pipe()
        if os.fork():
            os.close(writer)
            report = os.read(reader, 4_096).decode()
            os.close(reader)
            if report != "started":
                raise Rejected(report)
            return
        os.setsid()
        devnull = os.open(os.devnull, os.O_RDWR)
        for descriptor in (0, 1, 2):
            os.dup2(devnull, descriptor)
        # The daemon's lock among them: whoever inherits it holds it.
        os.closerange(3, writer)
        os.closerange(writer + 1, 256)
        code = 1
        try:
            self._reap(found, writer)
            code = 0
        finally:
            os._exit(code)

    def _reap(self, found: dict[str, Any], writer: int) -> None:
        with (
            self.output(found, "out").open("ab") as out,
            self.output(found, "err").open("ab") as err,
        ):
            try:
                process = subprocess.Popen(
                    found["Config"]["Entrypoint"],
                    cwd=self.root(found),
                    env=self._environment(found),
                    stdin=subprocess.DEVNULL,
                    stdout=out,
                    stderr=err,
                    start_new_session=True,
                )
            except OSError:
                name = found["Config"]["Entrypoint"][0]
                is_path = name.startswith("/")
                why = f"stat {name}: no such file or directory" if is_path else NOT_ON_PATH
                os.write(writer, NOT_FOUND.format(name, why).encode())
                return
        found["State"] = _state("running", Running=True, Pid=process.pid, StartedAt=now())
        self.save(found)
        os.write(writer, b"started")
        os.close(writer)
        code = process.wait()
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        ended = 128 - code if code < 0 else code
        if self._directory(found).exists():
            found["State"] = _state("exited", ExitCode=ended, FinishedAt=now())
            self.save(found)

    def _environment(self, found: Mapping[str, Any]) -> dict[str, str]:
        image = _read(self.folder / "images.json")[found["Config"]["Image"]]
        given = {"PATH": image["search"], "HOME": "/"}
        given |= {
            name: value for name, _, value in (e.partition("=") for e in found["Config"]["Env"])
        }
        root = str(self.root(found))
        return given | {name: f"{root}{given[name]}" for name in MOVED if name in given}

    def _wait(self, name: str, seconds: float) -> bool:
        give_up = time.monotonic() + seconds
        while self.find(name)["State"]["Running"]:
            if time.monotonic() > give_up:
                return False
            time.sleep(0.01)
        return True


def now() -> str:
    """The time in docker's format."""
    return time.strftime("%Y-%m-%dT%H:%M:%S.123456789Z", time.gmtime())


def _state(status: str, **more: Any) -> dict[str, Any]:
    never = "0001-01-01T00:00:00Z"
    state = {
        "Status": status,
        "Running": False,
        "Paused": False,
        "Restarting": False,
        "OOMKilled": False,
        "Dead": False,
        "Pid": 0,
        "ExitCode": 0,
        "Error": "",
        "StartedAt": never,
        "FinishedAt": never,
    }
    return {**state, **more}


def _read(path: Path) -> dict[str, Any]:
    read: dict[str, Any] = json.loads(path.read_text())
    return read


def _write(path: Path, value: Mapping[str, Any]) -> None:
    draft = path.with_name(f"{path.name}.{os.getpid()}")
    draft.write_text(json.dumps(value))
    draft.replace(path)
