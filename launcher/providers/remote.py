"""What is asked of a sandbox from outside by running one command in it: its spool, its agent.

The command is `sh -c '<script>'` in one string: Daytona splits it at spaces and quotes without a
shell, its CLI joins or quotes arguments by release, docker takes it as a list. So the scripts hold
no single quote and no backslash, and nothing of a task ever gets into them.
"""

import base64
import binascii
from dataclasses import replace
from typing import Final

from gateway.wire.launcher import Process
from launcher.providers.protocol import ProviderError, SpoolPiece
from launcher.providers.spool import read_window

WINDOW_BYTES = 1024 * 1024
"""So much of a spool is brought out at a time."""
STOP_SECONDS = 12
"""From SIGTERM to SIGKILL: the agent ends its commands within 10 s."""

_PROCESSES: Final = {
    "running": Process(state="running"),
    "exited": Process(state="exited"),
    "unknown": Process(state="unknown"),
}
_STATE = 'd="${SLIPGATE_STATE_DIR:-/tmp/slipgate-$SLIPGATE_TASK_ID-$SLIPGATE_ATTEMPT}"'

# The agent holds the lock for as long as it lives. It is looked at before the spool is read: what
# an agent wrote before it ended is then in what follows.
_SPOOL = (
    _STATE + "; s=%d; "
    'a=$(head -c 19 "$d/spool.acknowledged" 2>/dev/null | tr -cd 0-9); '
    '[ "${a:-0}" -gt "$s" ] && s=$a; p=unknown; '
    'if [ -f "$d/lock" ] && command -v flock >/dev/null; then '
    'if flock -n "$d/lock" true; then p=exited; else p=running; fi; fi; '
    'echo "$p $s"; [ -f "$d/spool.jsonl" ] || exit 0; '
    'tail -c +$((s+1)) "$d/spool.jsonl" | head -c %d | base64 -w 0'
)
_STOP = (
    _STATE + '; p=$(head -c 9 "$d/lock" 2>/dev/null | tr -cd 0-9); [ -n "$p" ] || exit 0; '
    'kill -TERM "$p" 2>/dev/null; i=0; '
    'while kill -0 "$p" 2>/dev/null && [ $i -lt %d ]; do sleep 0.1; i=$((i+1)); done; '
    'kill -KILL "$p" 2>/dev/null; exit 0'
)


def spool_command(offset: int) -> str:
    """Shows the agent's process and what its spool holds behind `offset` (bytes)."""
    return _command(_SPOOL % (offset, WINDOW_BYTES))


def stop_command() -> str:
    """Ends the agent, which ends all it started."""
    return _command(_STOP % (STOP_SECONDS * 10))


def read_spool(output: str) -> SpoolPiece:
    """What `spool_command` printed.

    Raises:
        ProviderError: it printed something else.
    """
    head, _, content = output.strip().partition("\n")
    state, _, offset = head.partition(" ")
    try:
        window = base64.b64decode(content.strip(), validate=True)
        start = int(offset)
    except (binascii.Error, ValueError) as error:
        raise _unreadable(head) from error
    if state not in _PROCESSES:
        raise _unreadable(head)
    piece = read_window(window, start, is_cut=len(window) == WINDOW_BYTES)
    return replace(piece, process=_PROCESSES[state])


def _command(script: str) -> str:
    return f"sh -c '{script}'"


def _unreadable(head: str) -> ProviderError:
    message = f"the sandbox answered something else than its spool: {head[:100]!r}"
    return ProviderError("provider_unavailable", message, retryable=True)
