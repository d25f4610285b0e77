"""Shell commands that Daytona runs in a sandbox to read its spool, stop and rescue its agent.

A command is `sh -c '<script>'` in one string: a daemon before v0.156 splits it at spaces and quotes
without a shell, a newer one gives it to a shell on standard input, and the CLI joins or quotes
arguments by release. So the scripts hold no single quote and no backslash, read no standard input,
and contain nothing of a task. All of them ran in daemons of v0.135, v0.150, v0.155, v0.168, v0.190.
"""

import base64
import binascii
import re
from dataclasses import replace
from typing import Final

from gateway.wire.launcher import Process
from launcher.providers.protocol import (
    LOG_TAIL,
    STOP_SECONDS,
    ProviderError,
    SpoolPiece,
    unavailable,
)
from launcher.providers.spool import WINDOW_BYTES, read_window

RESCUE_SECONDS: Final = 30
"""The runner itself ends earlier."""

_PROCESS: Final = re.compile(r"(running|unknown|exited)(?::(\d{1,5}))?")
_STATE: Final = 'd="${SLIPGATE_STATE_DIR:-/tmp/slipgate-$SLIPGATE_TASK_ID-$SLIPGATE_ATTEMPT}"'
_ENTRYPOINT: Final = (
    'e="$HOME/.daytona/sessions/entrypoint/entrypoint_command"; '
    'l="${DAYTONA_ENTRYPOINT_LOG_FILE_PATH:-/tmp/daytona-entrypoint.log}"; '
)
"""The daemon's record of the entrypoint, with its output and exit code: a directory; before v0.153
a file, to which it adds a line at the end."""

# The agent holds the lock while it lives, and has written its process id into it: an empty one was
# made a moment ago. The lock is checked before the spool is read, which then holds all that an
# ended agent wrote. Daytona's daemon writes `cmd.sh` and a new log at each start
# of the entrypoint, and its exit code behind those of earlier starts, if the machine died in
# between: an older code or a free older lock is of an earlier start. Before v0.158 it writes no
# `cmd.sh`, and up to v0.161 the end of the log may come after the code.
_SPOOL: Final = (
    _STATE + "; s=%d; a=0; "
    '[ -f "$d/spool.acknowledged" ] && a=$(head -c 19 "$d/spool.acknowledged" | tr -cd 0-9); '
    '[ "${a:-0}" -gt "$s" ] && s=$a; p=unknown; '
    + _ENTRYPOINT
    + 'if [ -f "$d/lock" ] && command -v flock >/dev/null; then '
    'if ! flock -n "$d/lock" true; then p=running; '
    'elif [ -s "$d/lock" ] && ! [ "$e/cmd.sh" -nt "$d/lock" ]; then p=exited; fi; fi; '
    'b="$e/cmd.sh"; [ -f "$b" ] || b="$e/output.log"; '
    'if [ "$p" != running ] && [ -f "$e/exit_code" ] && ! [ "$b" -nt "$e/exit_code" ]; '
    'then p=exited:$(tail -n 1 "$e/exit_code" | head -c 5 | tr -cd 0-9); p=${p%%:}; fi; '
    'if [ "$p" != running ] && ! [ -d "$e" ] && [ -f "$l" ]; then '
    'w=$(tail -c 300 "$l" | tail -n 1 | tr -cd "[:print:]"); case "$w" in '
    '*"ommand exited with error: exit status "[0-9]*) p=exited:${w##* };; '
    '*"ommand exited with error: "*) p=exited;; '
    '*"ntrypoint command completed successfully") p=exited:0;; esac; fi; '
    'echo "$p $s"; [ -f "$d/spool.jsonl" ] || exit 0; '
    'tail -c +$((s+1)) "$d/spool.jsonl" | head -c %d | base64 -w 0'
)
_STOP: Final = (
    _STATE + '; [ -f "$d/lock" ] || exit 0; '
    'p=$(head -c 9 "$d/lock" | tr -cd 0-9); [ -n "$p" ] || exit 0; '
    'kill -TERM "$p" 2>/dev/null; i=0; '
    'while kill -0 "$p" 2>/dev/null && [ $i -lt %d ]; do sleep 0.1; i=$((i+1)); done; '
    'kill -KILL "$p" 2>/dev/null; exit 0'
)

# The sandbox's variables hold keys, of which a rescue needs none.
_RESCUE: Final = (
    _STATE + '; [ -d "$d" ] || exit 0; env -i PATH="$PATH" HOME="$HOME" '
    '"${SLIPGATE_PYTHON:-python3}" -I /app/agent-runner.py --rescue "$d" '
    '>"$d/rescued.jsonl" 2>/dev/null </dev/null; exit 0'
)
_RESCUED: Final = (
    _STATE + '; [ -f "$d/rescued.jsonl" ] || exit 0; '
    'tail -c +%d "$d/rescued.jsonl" | head -c %d | base64 -w 0'
)


def _command(script: str) -> str:
    return f"sh -c '{script}'"


LOG_COMMAND: Final = _command(
    f'{_ENTRYPOINT}[ -f "$e/output.log" ] && l="$e/output.log"; '
    f'tail -c {LOG_TAIL} "$l" 2>/dev/null; exit 0'
)
"""Prints the end of the entrypoint's output."""
STOP_COMMAND: Final = _command(_STOP % (STOP_SECONDS * 10))
RESCUE_COMMAND: Final = _command(_RESCUE)
"""Has the runner write its agent's files into one, within `RESCUE_SECONDS`."""


def read_rescued_command(offset: int) -> str:
    """Prints a window of that file, from `offset` (bytes)."""
    return _command(_RESCUED % (offset + 1, WINDOW_BYTES))


def parse_window(output: str) -> bytes:
    """Parses the output of `read_rescued_command`; raises `ProviderError`."""
    try:
        return base64.b64decode(output.strip(), validate=True)
    except (binascii.Error, ValueError) as error:
        raise _unreadable(output) from error


def spool_command(offset: int) -> str:
    """Prints the state of the agent's process and a window of its spool from `offset` (bytes)."""
    return _command(_SPOOL % (offset, WINDOW_BYTES))


def parse_spool(output: str) -> SpoolPiece:
    """Parses the output of `spool_command`; raises `ProviderError`."""
    head, _, content = output.strip().partition("\n")
    state, _, offset = head.partition(" ")
    try:
        window = base64.b64decode(content.strip(), validate=True)
        start = int(offset)
    except (binascii.Error, ValueError) as error:
        raise _unreadable(head) from error
    if (process := _PROCESS.fullmatch(state)) is None:
        raise _unreadable(head)
    piece = read_window(window, start, is_cut=len(window) == WINDOW_BYTES)
    return replace(piece, process=_process(process))


def _process(found: re.Match[str]) -> Process:
    match found[1]:
        case "running":
            return Process(state="running")
        case "exited":
            return Process(state="exited", exit_code=int(found[2]) if found[2] else None)
        case _:
            return Process(state="unknown")


def _unreadable(head: str) -> ProviderError:
    return unavailable(f"the sandbox answered something else than its spool: {head[:100]!r}")
