"""The stand-in `daytona`: the commands of several releases, with their texts and exit codes.

Run as an executable that `install` writes; only what a launcher, the doctor and the snapshot
commands use is here.
"""

import hashlib
import json
import os
import re
import shlex
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from tests.daytona import releases
from tests.daytona.arguments import Line, Usage, parse
from tests.daytona.cli_client import CliClient, Fatal, environment, quoted
from tests.daytona.releases import Flag, Version
from tests.forks.programs import program

FAULTS = "faults.json"
Command = Callable[["Program", Line], int]


class Program:
    """One run of the executable."""

    def __init__(
        self, version: Version, environ: Mapping[str, str], line: Line, *, is_long: bool
    ) -> None:
        self.version = version
        self.environ = environ
        self.is_long = is_long
        """Called as `daytona sandbox …` or `daytona snapshot …`."""
        self.line = line
        self._client: CliClient | None = None
        self._has_warned = False

    @property
    def client(self) -> CliClient:
        """A client by the environment, else by the active profile; raises `Fatal`."""
        if self._client is None:
            url, key = self._from_environment() or self._from_profile()
            self._client = CliClient(url, key, self.version, self._warn)
        return self._client

    def note_toolbox(self, region: str, url: str) -> None:
        """Stores the toolbox URL in the active profile. The file is emptied, then written: a run
        that reads it in between ends with `unexpected end of JSON input`."""
        path = config_path(self.environ)
        config = _configuration(path)
        for profile in config["profiles"] or ():
            if profile["id"] == config["activeProfile"]:
                profile.setdefault("toolboxProxyUrls", {})[region] = url
                with path.open("w") as file:
                    _wait_while_empty(self.environ)
                    file.write(json.dumps(config, indent=2))

    def noted_toolbox(self, region: str) -> str | None:
        """The toolbox URL that an earlier run stored."""
        config = _configuration(config_path(self.environ))
        for profile in config["profiles"] or ():
            if profile["id"] == config["activeProfile"]:
                noted: str | None = profile.get("toolboxProxyUrls", {}).get(region)
                return noted
        return None

    def _warn(self, newer: str) -> None:
        """Warns once that the API is newer; the long form does not if a format is given."""
        if self._has_warned or (self.is_long and self.line.text("format")):
            return
        self._has_warned = True
        home = "clients" if self.version >= releases.CLIENTS_SINCE else "daytona"
        owner = "daytona" if self.version >= releases.CLIENTS_SINCE else "daytonaio"
        ours = f"v{'.'.join(map(str, self.version))}"
        log(
            "warning",
            f"Version mismatch: Daytona CLI is on {ours} and API is on {newer}.\nMake sure the "
            "versions are aligned using 'brew upgrade daytonaio/cli/daytona' or by downloading the "
            f"latest version from https://github.com/{owner}/{home}/releases.",
        )

    def _from_environment(self) -> tuple[str, str] | None:
        if self.version < releases.ENV_AUTH_SINCE:
            return None
        url, key = (self.environ.get(f"DAYTONA_API_{name}", "") for name in ("URL", "KEY"))
        return (url, key) if url and key else None

    def _from_profile(self) -> tuple[str, str]:
        config = _configuration(config_path(self.environ))
        for profile in config["profiles"] or ():
            if profile["id"] == config["activeProfile"]:
                return profile["api"]["url"], profile["api"]["key"]
        raise Fatal("no profiles found. Run `daytona login` to authenticate")


def create(program: Program, line: Line) -> int:
    """Prints success in any state, and failure although the sandbox was created."""
    client = program.client
    made = client.sandbox("POST", "/sandbox", _wanted(program, line))
    while made.get("state") == "pending_build":
        time.sleep(1)
        made = client.sandbox("GET", f"/sandbox/{made['id']}")
    terminal = client.ask("GET", f"/sandbox/{made['id']}/ports/22222/preview-url")
    name = made["name"]
    rows: tuple[str, ...]
    if program.version >= releases.SHORTCUTS_SINCE:
        rows = (
            f" Sandbox '{name}' created successfully",
            "",
            f" Connect via SSH:         daytona ssh {name}",
            f" Open the Web Terminal:   {terminal['url']}",
        )
    else:
        rows = (f" Sandbox is accessible at {terminal['url']}",)
    _print("", *rows, "")
    return 0


def info(program: Program, line: Line) -> int:
    """The document of the API; any format but YAML is JSON."""
    found = program.client.sandbox("GET", f"/sandbox/{quoted(_one(line))}")
    if line.text("format") is None:
        _print(
            "", f" Sandbox Info {found['name']}", f" State  {found.get('state', '').upper()}", ""
        )
    else:
        _print(json.dumps(found, indent=2, sort_keys=True))
    return 0


def list_(program: Program, line: Line) -> int:
    limit, number = line.number("limit", 100), line.number("page", 1)
    if program.version >= releases.CURSOR_SINCE:
        cursor = f"&cursor={line.text('cursor')}" if line.text("cursor") else ""
        found = program.client.ask("GET", f"/sandbox?limit={limit}{cursor}")
    elif program.version >= releases.PAGINATED_SINCE:
        found = program.client.ask("GET", f"/sandbox/paginated?page={number}&limit={limit}")
    else:
        found = program.client.ask("GET", "/sandbox")[(number - 1) * limit : number * limit]
    items = found if isinstance(found, list) else found["items"]
    items[:] = [program.client.known(each, found) for each in items]
    if line.text("format") is not None:
        _print(json.dumps(found, indent=2, sort_keys=True))
    elif not items:
        _print(" No sandboxes found")
    else:
        _print(*(f" {each['name']}  {each['state'].upper()}" for each in items))
    return 0


def delete(program: Program, line: Line) -> int:
    """Returns once the deletion is accepted."""
    if not line.words:
        _help(("sandbox", "delete"), releases.DELETE)
        return 0
    name = _one(line)
    program.client.sandbox("DELETE", f"/sandbox/{quoted(name)}")
    _print("", f" Sandbox {name} deleted", "")
    return 0


def start(program: Program, line: Line) -> int:
    return _move(program, line, "start", "started")


def stop(program: Program, line: Line) -> int:
    return _move(program, line, "stop", "stopped")


def execute(program: Program, line: Line) -> int:
    """Exits with the code of the remote command."""
    if len(line.words) < 2:
        raise Usage(f"requires at least 2 arg(s), only received {len(line.words)}")
    client = program.client
    name, *command = line.words
    found = client.sandbox("GET", f"/sandbox/{quoted(name)}")
    if found.get("state") != "started":
        raise Fatal(f"sandbox is {found.get('state')}. Start it with: daytona sandbox start {name}")
    toolbox = program.noted_toolbox(found["target"])
    if toolbox is None:
        toolbox = client.ask("GET", f"/sandbox/{found['id']}/toolbox-proxy-url")["url"]
        program.note_toolbox(found["target"], toolbox)
    quotes = program.version >= releases.QUOTES_SINCE and len(command) > 1
    text = shlex.join(command) if quotes else " ".join(command)
    wanted: dict[str, object] = {"command": text}
    if line.text("cwd"):
        wanted["cwd"] = line.text("cwd")
    if line.text("timeout"):
        wanted["timeout"] = line.number("timeout", 0)
    done = client.ask("POST", f"{toolbox}/{found['id']}/process/execute", wanted)
    sys.stdout.write(done["result"])
    code = int(done.get("exitCode", 0))
    if code and not done["result"]:
        sys.stderr.write(f"Command failed with exit code {code}\n")
    return code


def snapshot_list(program: Program, line: Line) -> int:
    """Prints a bare array."""
    query = f"?page={line.number('page', 1)}&limit={line.number('limit', 100)}"
    found = program.client.ask("GET", f"/snapshots{query}")["items"]
    if line.text("format") is not None:
        _print(json.dumps(found, indent=2, sort_keys=True))
    else:
        _print(*(f" {each['name']}  {each['state'].upper()}" for each in found))
    return 0


def snapshot_create(program: Program, line: Line) -> int:
    """Builds from an image, or from a Dockerfile, whose ENTRYPOINT is parsed from its text."""
    name, image, file = _one(line), line.text("image"), line.text("dockerfile")
    if image is not None:
        _check_image(image)
    if file is not None and line.text("entrypoint"):
        raise Fatal(
            "if any flags in the group [dockerfile entrypoint] are set none of the others can be"
        )
    wanted: dict[str, object] = {"name": name, **_sizes(line)}
    if file is not None:
        text = Path(file).read_text()
        folders = [Path(context) for context in line.lists.get("context", ())]
        build = {"dockerfileContent": text, "contextHashes": [_uploaded(each) for each in folders]}
        wanted |= {"buildInfo": build, "entrypoint": entrypoint_of(text)}
        _print(*(f"#{number} {row}" for number, row in enumerate(text.splitlines()) if row))
    else:
        wanted |= {"imageName": image, "entrypoint": (line.text("entrypoint") or "").split(" ")}
    program.client.ask("POST", "/snapshots", wanted)
    return _until_active(program, name)


def snapshot_push(program: Program, line: Line) -> int:
    """Pushes an image of the docker daemon that docker's own variables name."""
    image, name = _one(line), line.text("name")
    if name is None:
        raise Usage('required flag(s) "name" not set')
    _check_image(image)
    images = Path(program.environ.get("DOCKER_HOST", "").removeprefix("unix://")) / "images.json"
    if not images.exists() or image not in json.loads(images.read_text()):
        raise Fatal(f"image '{image}' not found locally. Please ensure the image exists")
    words = (line.text("entrypoint") or "").split(" ")
    wanted = {"name": name, "imageName": f"registry/{image}", "entrypoint": words, **_sizes(line)}
    program.client.ask("POST", "/snapshots", wanted)
    _print(f"Successfully pushed {image} to Daytona")
    return _until_active(program, name)


def _check_image(image: str) -> None:
    if image.count(":") != 1:
        raise Fatal("invalid image format: must contain exactly one colon (e.g., 'ubuntu:22.04')")
    if image.endswith(":latest"):
        raise Fatal("tag 'latest' not allowed, please use a specific version tag")


def _until_active(program: Program, name: str) -> int:
    while (state := program.client.ask("GET", f"/snapshots/{quoted(name)}"))["state"] != "active":
        if state["state"] in {"error", "build_failed"}:
            raise Fatal(f"snapshot {name} failed: {state['errorReason']}")
        time.sleep(0.2)
    how = f"Run 'daytona sandbox create --snapshot {name}'"
    _print("", f" Snapshot {name} successfully created", "")
    _print(f" ✓ {how} to create a new sandbox using this snapshot")
    return 0


def _sizes(line: Line) -> dict[str, object]:
    sizes = {name: line.number(name, 0) for name in ("cpu", "memory", "disk") if line.text(name)}
    region = line.text("region")
    return {**sizes, "regionId": region} if region else dict(sizes)


def _uploaded(folder: Path) -> str:
    """A folder is known by its path alone: its changes are not seen (since v0.100)."""
    if not folder.is_dir():
        raise Fatal(f"failed to access context path {folder}")
    (Path.cwd() / "context.tar").touch()
    return hashlib.sha256(str(folder.resolve()).encode()).hexdigest()


def entrypoint_of(dockerfile: str) -> list[str]:
    """The last ENTRYPOINT on one line; the string form becomes one word."""
    found = ["sleep", "infinity"]
    for row in dockerfile.splitlines():
        word, _, rest = row.strip().partition(" ")
        if word == "ENTRYPOINT":
            found = json.loads(rest) if rest.startswith("[") and rest.endswith("]") else [rest]
    return found


def login(program: Program, line: Line) -> int:
    """Writes the profile `initial`."""
    url = program.environ.get("DAYTONA_API_URL", "https://app.daytona.io/api")
    profile = {"id": "initial", "name": "initial", "api": {"url": url, "key": line.text("api-key")}}
    path = config_path(program.environ)
    path.write_text(json.dumps({"activeProfile": "initial", "profiles": [profile]}))
    return 0


PARENTS: Mapping[str, Sequence[tuple[str, str, Version]]] = {
    "sandbox": releases.SANDBOX_COMMANDS,
    "snapshot": releases.SNAPSHOT_COMMANDS,
}
COMMANDS: dict[tuple[str, ...], tuple[Command, Sequence[Flag]]] = {
    ("sandbox", "create"): (create, releases.CREATE),
    ("sandbox", "info"): (info, (releases.FORMAT,)),
    ("sandbox", "list"): (list_, releases.LIST),
    ("sandbox", "delete"): (delete, releases.DELETE),
    ("sandbox", "start"): (start, ()),
    ("sandbox", "stop"): (stop, releases.STOP),
    ("sandbox", "exec"): (execute, releases.EXEC),
    ("snapshot", "list"): (snapshot_list, releases.SNAPSHOT_LIST),
    ("snapshot", "create"): (snapshot_create, releases.SNAPSHOT_CREATE),
    ("snapshot", "push"): (snapshot_push, releases.SNAPSHOT_PUSH),
    ("login",): (login, releases.LOGIN),
}


def main(version: str, arguments: Sequence[str], environ: Mapping[str, str]) -> int:
    """Runs the command and returns its exit code."""
    release = releases.parsed(version)
    environ = _with_dotenv(release, environ)
    _first_run(release, environ)
    if tuple(arguments[:1]) in {("version",), ("--version",), ("-v",)}:
        _print(f"Daytona CLI version v{version}")
        return 0
    try:
        return _run(release, arguments, environ)
    except (Fatal, Usage) as error:
        log("fatal", str(error))
        return 1


def _run(release: Version, arguments: Sequence[str], environ: Mapping[str, str]) -> int:
    name, rest = _named(release, arguments)
    if name is None and (listed := PARENTS.get(" ".join(arguments[:1]))):
        _parent_help(release, arguments, listed)
        return 0
    if name is None and arguments and arguments[0].startswith("-"):
        raise Usage(f"unknown flag: {arguments[0]}")
    if name is None:
        raise Usage(f'unknown command "{" ".join(arguments[:1])}" for "daytona"')
    command, flags = COMMANDS[name]
    if "--help" in rest or "-h" in rest:
        _help(name, [flag for flag in flags if flag.is_in(release)])
        return 0
    line = parse(rest, flags, release)
    program = Program(release, environ, line, is_long=arguments[0] in PARENTS)
    return command(program, line)


def _named(
    release: Version, arguments: Sequence[str]
) -> tuple[tuple[str, ...] | None, Sequence[str]]:
    parent, *words = arguments or ("",)
    if parent in PARENTS:
        has = any(since <= release for word, _, since in PARENTS[parent] if [word] == words[:1])
        known = (parent, *words[:1])
        return (known, words[1:]) if has and known in COMMANDS else (None, arguments)
    if tuple(arguments[:1]) in COMMANDS:
        return tuple(arguments[:1]), arguments[1:]
    short = ("sandbox", parent)
    if release >= releases.SHORTCUTS_SINCE and short in COMMANDS:
        return short, arguments[1:]
    return None, arguments


def _wanted(program: Program, line: Line) -> dict[str, object]:
    wanted: dict[str, object] = {
        "env": line.pairs("env"),
        "labels": line.pairs("label"),
        "autoArchiveInterval": line.number("auto-archive", 10_080),
        "autoDeleteInterval": line.number("auto-delete", -1),
        "networkBlockAll": line.text("network-block-all") == "true",
    }
    if line.text("auto-stop") or program.version < releases.SENDS_AUTO_STOP_ONLY_WHEN_GIVEN_SINCE:
        wanted["autoStopInterval"] = line.number("auto-stop", 15)
    if line.text("ttl"):
        wanted["ttlMinutes"] = line.number("ttl", 0)
    for name in ("snapshot", "name", "user", "target"):
        if line.text(name):
            wanted[name] = line.text(name)
    for name in ("cpu", "gpu", "memory", "disk"):
        if line.text(name):
            wanted[name] = line.number(name, 0)
    return wanted


def _move(program: Program, line: Line, verb: str, done: str) -> int:
    if not line.words:
        sys.stderr.write("panic: runtime error: index out of range [0] with length 0\n")
        return 2
    name = _one(line)
    program.client.sandbox("POST", f"/sandbox/{quoted(name)}/{verb}")
    _print("", f" Sandbox {name} {done}", "")
    return 0


def _one(line: Line) -> str:
    if len(line.words) != 1:
        raise Usage(f"accepts 1 arg(s), received {len(line.words)}")
    return line.words[0]


def _parent_help(
    release: Version, arguments: Sequence[str], listed: Sequence[tuple[str, str, Version]]
) -> None:
    """Prints help for `--help`, no word, or an unknown command; rejects unknown flags."""
    for word in arguments[1:]:
        if word == "--":
            break
        if word.startswith("-") and word not in ("--help", "-h"):
            raise Usage(f"unknown flag: {word.partition('=')[0]}")
    parent = arguments[0]
    plural = "sandboxes" if parent == "sandbox" else "snapshots"
    rows = [f"  {word:<11} {text}" for word, text, since in listed if since <= release]
    lines = (
        f"Commands for managing Daytona {plural}",
        *("", "Usage:", f"  daytona {parent} [command]"),
        *("", "Aliases:", f"  {parent}, {plural}"),
        *("", "Available Commands:", *rows),
        *("", "Global Flags:", "      --help   help for daytona"),
        *("", f'Use "daytona {parent} [command] --help" for more information about a command.'),
    )
    sys.stdout.write("".join(f"{row}\n" for row in lines))


def _help(name: tuple[str, ...], flags: Sequence[Flag]) -> None:
    kinds = {"text": "string", "list": "stringArray", "number": "int32", "switch": ""}
    _print(f"Help of {' '.join(name)}", "", "Usage:", f"  daytona {' '.join(name)} [flags]")
    _print("", "Flags:")
    for flag in flags:
        short = f"-{flag.short}, " if flag.short else "    "
        shown = f"{short}--{flag.name} {kinds[flag.kind]}"
        _print(f"  {shown:<33} {flag.text}".rstrip())
    _print("  -h, --help", "", "Global Flags:", "      --help   help for daytona")


def _print(*rows: str) -> None:
    """Prints lines; blank ones are padded, as in the real one's boxes."""
    for row in rows:
        sys.stdout.write(f"{row or ' ' * 60}\n")


def log(level: str, message: str) -> None:
    """Writes a log line to stderr; a message of one plain word has no quotes."""
    now = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())
    text = message
    if not re.fullmatch(r"[a-zA-Z0-9._/@^+-]+", message):
        escaped = message.replace("\\", "\\\\").replace('"', '\\"')
        escaped = escaped.replace("\n", "\\n").replace("\t", "\\t")
        text = f'"{escaped}"'
    sys.stderr.write(f'time="{now}" level={level} msg={text}\n')


def config_path(environ: Mapping[str, str]) -> Path:
    """The path of the profiles."""
    if given := environ.get("DAYTONA_CONFIG_DIR"):
        return Path(given) / "config.json"
    home = environ.get("XDG_CONFIG_HOME") or str(Path(environ.get("HOME", "/")) / ".config")
    return Path(home) / "daytona" / "config.json"


def _configuration(path: Path) -> dict[str, Any]:
    """The configuration, decoded as Go does."""
    text = path.read_text()
    if not text:
        raise Fatal("unexpected end of JSON input")
    config: dict[str, Any] = json.loads(text)
    return config


def _wait_while_empty(environ: Mapping[str, str]) -> None:
    """Keeps the file empty while a test inspects it: until `go-on` exists beside it."""
    folder = config_path(environ).parent
    if (folder / "wait").exists():
        (folder / "empty").touch()
        while not (folder / "go-on").exists():
            time.sleep(0.01)


def _first_run(release: Version, environ: Mapping[str, str]) -> None:
    """Writes the configuration, and completion into the user's shell."""
    path = config_path(environ)
    if path.exists():
        return
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text('{"activeProfile": "", "profiles": []}')
    path.chmod(0o600 if release >= releases.PRIVATE_CONFIG_SINCE else 0o644)
    if environ.get("SHELL", "").endswith("bash"):
        with (Path(environ["HOME"]) / ".bashrc").open("a") as rc:
            rc.write("\nsource <(daytona completion bash)\n")


def _with_dotenv(release: Version, environ: Mapping[str, str]) -> Mapping[str, str]:
    """Up to v0.204 the `.env` of the working directory counts, after the set variables."""
    file = Path(".env")
    if release >= releases.NO_DOTENV_SINCE or not file.exists():
        return environ
    pairs = (row.partition("=") for row in file.read_text().splitlines() if "=" in row)
    return {**{key.strip(): value.strip() for key, _, value in pairs}, **environ}


def _misbehave(folder: Path) -> None:
    """Runs the planned faults of the next run: a list of words in a file."""
    path = folder / FAULTS
    planned: list[dict[str, Any]] = json.loads(path.read_text()) if path.exists() else []
    if not planned:
        return
    fault, *left = planned
    path.write_text(json.dumps(left))
    match fault["kind"]:
        case "hang":
            sys.stdout.flush()
            time.sleep(fault.get("seconds", 3600))
        case "killed":
            os.kill(os.getpid(), 9)
        case "print":
            sys.stdout.write(fault["text"])
            sys.exit(fault.get("code", 0))
        case kind:
            raise ValueError(f"no such fault: {kind}")


def install(folder: Path, version: str) -> Path:
    """Writes the executable `daytona` of that release into the directory."""
    return program(folder / "daytona", "tests.daytona.cli:run", version, str(folder))


def run(version: str, folder: str) -> int:
    """Entry point of the executable."""
    _misbehave(Path(folder))
    return main(version, sys.argv[1:], environment())
