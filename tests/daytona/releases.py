"""Releases of the CLI: which commands and flags each of them takes."""

from dataclasses import dataclass
from typing import Literal

Version = tuple[int, int, int]
Kind = Literal["text", "list", "number", "switch"]


@dataclass(frozen=True, kw_only=True)
class Flag:
    """A flag, from the release that brought it to the one that took it away."""

    name: str
    kind: Kind = "text"
    short: str = ""
    since: Version = (0, 101, 0)
    until: Version = (9, 0, 0)

    def is_in(self, version: Version) -> bool:
        """Whether this release has it."""
        return self.since <= version < self.until


CREATE = (
    Flag(name="snapshot"),
    Flag(name="name", since=(0, 110, 0)),
    Flag(name="user"),
    Flag(name="env", short="e", kind="list"),
    Flag(name="label", short="l", kind="list"),
    Flag(name="public", kind="switch"),
    Flag(name="class", until=(0, 183, 0)),
    Flag(name="target"),
    Flag(name="cpu", kind="number"),
    Flag(name="gpu", kind="number"),
    Flag(name="memory", kind="number"),
    Flag(name="disk", kind="number"),
    Flag(name="auto-stop", kind="number"),
    Flag(name="auto-pause", kind="number", since=(0, 197, 0)),
    Flag(name="auto-archive", kind="number"),
    Flag(name="auto-delete", kind="number"),
    Flag(name="ttl", kind="number", since=(0, 199, 0)),
    Flag(name="volume", short="v", kind="list"),
    Flag(name="dockerfile", short="f"),
    Flag(name="context", short="c", kind="list"),
    Flag(name="network-block-all", kind="switch"),
    Flag(name="network-allow-list"),
)
FORMAT = Flag(name="format", short="f")
LIST = (
    Flag(name="limit", short="l", kind="number"),
    Flag(name="page", short="p", kind="number", until=(0, 180, 0)),
    Flag(name="cursor", short="c", since=(0, 180, 0)),
    FORMAT,
)
DELETE = (Flag(name="all", short="a", kind="switch"),)
STOP = (Flag(name="force", short="f", kind="switch"),)
EXEC = (Flag(name="cwd"), Flag(name="timeout", kind="number"))
SNAPSHOT_LIST = (Flag(name="limit", short="l"), Flag(name="page", short="p"), FORMAT)
SNAPSHOT_CREATE = (
    Flag(name="dockerfile", short="f"),
    Flag(name="context", short="c", kind="list"),
    Flag(name="image", short="i"),
    Flag(name="entrypoint", short="e"),
    Flag(name="cpu", kind="number"),
    Flag(name="memory", kind="number"),
    Flag(name="disk", kind="number"),
    Flag(name="region"),
)
SNAPSHOT_PUSH = (
    Flag(name="name", short="n"),
    Flag(name="entrypoint", short="e"),
    Flag(name="cpu", kind="number"),
    Flag(name="memory", kind="number"),
    Flag(name="disk", kind="number"),
    Flag(name="region"),
)
LOGIN = (Flag(name="api-key"),)

SHORTCUTS_SINCE: Version = (0, 135, 0)
"""`daytona create` and the others; the long form is hidden then, and still works."""
ENV_AUTH_SINCE: Version = (0, 128, 0)
HINTS_SINCE: Version = (0, 168, 0)
CURSOR_SINCE: Version = (0, 180, 0)
SENDS_AUTO_STOP_ONLY_WHEN_GIVEN_SINCE: Version = (0, 197, 0)
PRIVATE_CONFIG_SINCE: Version = (0, 200, 0)
NO_DOTENV_SINCE: Version = (0, 205, 0)
QUOTES_SINCE: Version = (0, 205, 1)


def parsed(text: str) -> Version:
    """`0.190.0` as numbers."""
    major, minor, patch = text.split(".")
    return int(major), int(minor), int(patch)
