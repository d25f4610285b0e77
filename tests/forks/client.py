"""The executable's own part: has the server fork, and stands for the child it forks.

This text begins every executable that `program` writes. It imports what the interpreter is born
with: anything else would cost more than the rest of it.
"""

import _signal  # type: ignore[import-not-found]  # the part of `signal` that is born with it
import _socket
import posix
import sys
from posix import _exit

SIGNALS = (_signal.SIGHUP, _signal.SIGINT, _signal.SIGTERM)
KILL = _signal.SIGQUIT
"""Has the server kill the child, and ends when it has ended."""
SECONDS = 1e6
"""The wait for the child's end; a socket with such a limit does not block, as a wakeup must not."""
NOBODY_KNOWS = b"\0\0\0\xff"
"""The exit code of a child whose server is gone."""


def run(server: str, entry: str, fixed: list[str]) -> None:
    """Does not return: ends as the child does."""
    link = _socket.socket(_socket.AF_UNIX)
    link.connect(server)
    link.settimeout(SECONDS)
    _signal.pthread_sigmask(_signal.SIG_BLOCK, (*SIGNALS, KILL))
    # The interpreter's own handler sends the number, before one of Python can run: that would
    # wait, without end, if the signal comes just before `recv`.
    _signal.set_wakeup_fd(link.fileno())
    for number in (*SIGNALS, KILL):
        _signal.signal(number, lambda *_: None)
    words = [word.encode(errors="surrogateescape") for word in (entry, *fixed)]
    argv = [word.encode(errors="surrogateescape") for word in sys.argv]
    environ = [b"=".join(pair) for pair in posix.environ.items()]
    counts = [str(len(each)).encode() for each in (words, argv)]
    data = b"\0".join([posix.getcwdb(), *counts, *words, *argv, *environ])
    descriptors = b"".join(number.to_bytes(4, sys.byteorder) for number in (0, 1, 2))
    rights = [(_socket.SOL_SOCKET, _socket.SCM_RIGHTS, descriptors)]
    link.sendmsg([len(data).to_bytes(4, "big")], rights)
    link.sendall(data)
    _signal.pthread_sigmask(_signal.SIG_UNBLOCK, (*SIGNALS, KILL))
    code = int.from_bytes(link.recv(4) or NOBODY_KNOWS, "big", signed=True)
    if -code in SIGNALS:
        _signal.signal(-code, _signal.SIG_DFL)
    if code < 0:
        posix.kill(posix.getpid(), -code)
    _exit(code)
