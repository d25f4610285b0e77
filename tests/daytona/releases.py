"""Releases: which commands and flags each CLI takes, and what the daemon of a sandbox does.

Held against the programs themselves, built from the sources of v0.101, v0.110, v0.116, v0.127,
v0.128, v0.134, v0.135, v0.150, v0.168, v0.180, v0.190, v0.191, v0.204 and v0.205.1; the daemon's
v0.135, v0.150, v0.155, v0.168 and v0.190 (the last whose source is published).
"""

from dataclasses import dataclass
from typing import Literal

Version = tuple[int, int, int]
Kind = Literal["text", "list", "number", "switch"]


@dataclass(frozen=True, kw_only=True)
class Flag:
    """A flag, with the releases that added and removed it."""

    name: str
    kind: Kind = "text"
    short: str = ""
    since: Version = (0, 101, 0)
    until: Version = (9, 0, 0)
    text: str = ""
    """The part of its description that names another flag."""

    def is_in(self, version: Version) -> bool:
        """True if this release has the flag."""
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
    Flag(
        name="auto-pause",
        kind="number",
        since=(0, 197, 0),
        text="Mutually exclusive with --auto-stop",
    ),
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
SNAPSHOT_LIST = (
    Flag(name="limit", short="l", kind="number"),
    Flag(name="page", short="p", kind="number"),
    FORMAT,
)
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

ALWAYS: Version = (0, 101, 0)
SANDBOX_COMMANDS: tuple[tuple[str, str, Version], ...] = (
    ("archive", "Archive a sandbox", (0, 116, 0)),
    ("create", "Create a new sandbox", ALWAYS),
    ("delete", "Delete a sandbox", ALWAYS),
    ("exec", "Execute a command in a sandbox", (0, 135, 0)),
    ("info", "Get sandbox info", ALWAYS),
    ("list", "List sandboxes", ALWAYS),
    ("pause", "Pause a sandbox", (0, 190, 0)),
    ("preview-url", "Get signed preview URL for a sandbox port", (0, 135, 0)),
    ("ssh", "SSH into a sandbox", (0, 135, 0)),
    ("start", "Start a sandbox", ALWAYS),
    ("stop", "Stop a sandbox", ALWAYS),
)
"""`daytona sandbox --help`, also printed for an unknown word, with exit code 0: `exec` before
v0.135 looks like a success."""
SNAPSHOT_COMMANDS: tuple[tuple[str, str, Version], ...] = (
    ("activate", "Activate a snapshot", (0, 204, 0)),
    ("create", "Create a snapshot", ALWAYS),
    ("delete", "Delete a snapshot", ALWAYS),
    ("list", "List all snapshots", ALWAYS),
    ("push", "Push local snapshot", ALWAYS),
)

SHORTCUTS_SINCE: Version = (0, 135, 0)
"""`daytona create` and the like; their long form is hidden and still works."""
ENV_AUTH_SINCE: Version = (0, 128, 0)
CLIENTS_SINCE: Version = (0, 191, 0)
"""Built from another repository."""
PAGINATED_SINCE: Version = (0, 110, 0)
"""Before, `list --format json` is a bare array; until v0.179 it requests `GET /sandbox/paginated`.
"""
HINTS_SINCE: Version = (0, 168, 0)
STATES: dict[str, Version] = {
    **dict.fromkeys(("creating", "restoring", "destroyed", "destroying", "unknown"), ALWAYS),
    **dict.fromkeys(("started", "stopped", "starting", "stopping", "error"), ALWAYS),
    **dict.fromkeys(("build_failed", "pending_build", "building_snapshot"), ALWAYS),
    **dict.fromkeys(("pulling_snapshot", "archived", "archiving"), ALWAYS),
    "resizing": (0, 138, 0),
    **dict.fromkeys(("snapshotting", "forking"), (0, 165, 0)),
    **dict.fromkeys(("pausing", "paused", "resuming"), (0, 190, 0)),
}
"""States of sandboxes, with the releases that know them."""
PRINTS_UNREADABLE_ANSWERS_UNTIL: Version = (0, 165, 0)
"""Before, an answer that a release cannot read is its error, as a whole."""
READS_ANY_STATE_SINCE: Version = (0, 170, 0)
UNKNOWN_STATE = "11184809"
"""A state that the release does not know, in its output."""
CURSOR_SINCE: Version = (0, 180, 0)
SENDS_AUTO_STOP_ONLY_WHEN_GIVEN_SINCE: Version = (0, 197, 0)
PRIVATE_CONFIG_SINCE: Version = (0, 200, 0)
NO_DOTENV_SINCE: Version = (0, 205, 0)
QUOTES_SINCE: Version = (0, 205, 1)

ENTRYPOINT_IN_SESSION_SINCE: Version = (0, 153, 0)
"""Before, the daemon is the entrypoint's parent, and has one file for its output."""
COMMANDS_IN_SHELL_SINCE: Version = (0, 156, 0)
"""Before, the daemon splits a command itself."""
ENDS_GROUPS_SINCE: Version = (0, 155, 0)
"""Before, it ends the first process of a command alone, and answers when its children have ended.
"""
COMMAND_FILE_SINCE: Version = (0, 158, 0)
LAST_DAEMON: Version = (0, 190, 0)


def parsed(text: str) -> Version:
    major, minor, patch = text.split(".")
    return int(major), int(minor), int(patch)
