"""Node: npm, pnpm, yarn or bun, by `packageManager` and lock file, with workspaces."""

import re
from collections.abc import Iterator
from typing import Final

from .folder import Folder, inner_table
from .plan import Argv, Command, Host, Part

LOCKS: Final = {
    "pnpm-lock.yaml": "pnpm",
    "yarn.lock": "yarn",
    "bun.lock": "bun",
    "bun.lockb": "bun",
    "package-lock.json": "npm",
    "npm-shrinkwrap.json": "npm",
}
NO_TEST: Final = "no test specified"
"""npm's own placeholder for the script `test`."""
_MANAGER: Final = re.compile(r"(npm|pnpm|yarn|bun)@(\d[\w.-]*)")
_PNPM_LOCK: Final = re.compile(r"""^lockfileVersion: ['"]?(\d+)""", re.MULTILINE)
_PNPM_VERSIONS: Final = {"5": "7", "6": "8", "9": "9"}
"""Version of the lock → the major version of pnpm that writes it, and asks for the oldest Node."""
_CLASSIC: Final = "yarn lockfile v1"
VARIABLES: Final = {
    "CI": "true",
    "COREPACK_ENABLE_DOWNLOAD_PROMPT": "0",
    "npm_config_audit": "false",
    "npm_config_fund": "false",
    "npm_config_update_notifier": "false",
    "YARN_ENABLE_TELEMETRY": "0",
}


class Manager:
    """The package manager of a project, with its root if the project is in a workspace."""

    def __init__(self, folder: Folder) -> None:
        self.root = _root(folder)
        self.name, self.version = self._choose()
        is_lock_old = _CLASSIC in self.root.text("yarn.lock")
        self.is_berry = (
            self.name == "yarn"
            and not is_lock_old
            and (self.root.has(".yarnrc.yml") or not self.version.startswith("1"))
        )

    def _choose(self) -> tuple[str, str]:
        given = self.root.table("package.json").get("packageManager")
        found = _MANAGER.match(given) if isinstance(given, str) else None
        if found:
            return found[1], found[2]
        name = next((LOCKS[lock] for lock in LOCKS if self.root.has(lock)), "npm")
        return name, self._version_of_lock(name)

    def _version_of_lock(self, name: str) -> str:
        if name == "pnpm":
            found = _PNPM_LOCK.search(self.root.text("pnpm-lock.yaml")[:2_000])
            return _PNPM_VERSIONS.get(found[1], "") if found else ""
        if name == "yarn":
            return "1" if _CLASSIC in self.root.text("yarn.lock")[:2_000] else "4"
        return ""

    def install(self) -> Argv:
        """The installation that changes no lock, if there is one."""
        is_locked = self.root.has(*LOCKS)
        match self.name:
            case "pnpm" | "bun":
                return (self.name, "install", *(["--frozen-lockfile"] if is_locked else []))
            case "yarn" if self.is_berry:
                return ("yarn", "install", *(["--immutable"] if is_locked else []))
            case "yarn":
                return ("yarn", "install", *(["--frozen-lockfile"] if is_locked else []))
            case _:
                return ("npm", "ci") if self.root.has(*_NPM_LOCKS) else ("npm", "install")

    def package(self) -> str:
        """Its name and version in npm's registry."""
        name = "@yarnpkg/cli-dist" if self.is_berry else self.name
        return f"{name}@{self.version}" if self.version else name


_NPM_LOCKS: Final = ("package-lock.json", "npm-shrinkwrap.json")


def plan(folder: Folder, host: Host) -> Part:
    """The part of a Node project; without checks if it has no script `test`."""
    manager = Manager(folder)
    programs = host.programs
    return Part(
        ecosystem="node",
        setup=tuple(_setup(manager, host)),
        checks=tuple(_checks(folder, manager)),
        environ=VARIABLES,
        path=(programs,),
    )


def script(folder: Folder, name: str) -> str:
    """The script of that name in its package.json; empty if there is none."""
    found = inner_table(folder.table("package.json"), "scripts").get(name)
    return found if isinstance(found, str) else ""


def _setup(manager: Manager, host: Host) -> Iterator[Command]:
    if not host.has(manager.name):
        prefix = str(host.home / ".local")
        argv = ("npm", "install", "--global", "--prefix", prefix, manager.package())
        yield Command(argv=argv)
    yield Command(argv=manager.install(), directory=manager.root.path)


def _checks(folder: Folder, manager: Manager) -> Iterator[Command]:
    name = manager.name
    own = script(folder, "test")
    if own and NO_TEST not in own:
        argv: Argv = (name, "run", "test") if name == "bun" else (name, "test")
        yield Command(argv=argv, directory=folder.path)
    elif folder.path == manager.root.path and _is_workspace(folder):
        yield Command(argv=_everywhere(manager), directory=folder.path)
    elif name == "bun" and folder.has("test", "tests", "*.test.ts", "*.test.js"):
        yield Command(argv=("bun", "test"), directory=folder.path)


def _everywhere(manager: Manager) -> Argv:
    match manager.name:
        case "pnpm":
            return ("pnpm", "--recursive", "--if-present", "run", "test")
        case "yarn" if manager.is_berry:
            return ("yarn", "workspaces", "foreach", "--all", "run", "test")
        case "yarn":
            return ("yarn", "workspaces", "run", "test")
        case "bun":
            return ("bun", "run", "--filter", "*", "test")
        case _:
            return ("npm", "test", "--workspaces", "--if-present")


def _is_workspace(folder: Folder) -> bool:
    is_pnpm = folder.has("pnpm-workspace.yaml")
    return is_pnpm or bool(folder.table("package.json").get("workspaces"))


def _root(folder: Folder) -> Folder:
    """The folder at or above it with a lock or a workspace; itself if there is none."""
    if folder.has(*LOCKS) or _is_workspace(folder):
        return folder
    above = folder.enclosing(*LOCKS, "pnpm-workspace.yaml")
    return above if above is not None and above.has("package.json") else folder
