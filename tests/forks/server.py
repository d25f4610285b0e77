"""The process that forks: for every executable that connects, a child that does its work."""

import gc
import importlib
import os
import selectors
import shutil
import signal
import socket
import sys
import threading
import traceback
import types
from collections.abc import Callable, Iterable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Final, NoReturn, TextIO

STDIO: Final = (0, 1, 2)
PIECE_BYTES: Final = 4_096
"""The size of an atomic write to a pipe (PIPE_BUF)."""
PIPE_BYTES: Final = 65_536
"""The capacity of a pipe."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Run:
    """One run of a program, as its executable describes it."""

    entry: str
    """`module:function`."""
    fixed: list[str]
    argv: list[str]
    folder: bytes
    environ: dict[bytes, bytes]
    stdio: list[int]

    def prepare(self) -> Callable[..., object]:
        """The function to call, imported at the first use."""
        module, _, function = self.entry.partition(":")
        found: Callable[..., object] = getattr(importlib.import_module(module), function)
        return found


class Opening:
    """The first message of an executable, as far as it has come."""

    def __init__(self) -> None:
        self.stdio: list[int] = []
        self._length = 0
        self._data = bytearray()

    def read(self, link: socket.socket) -> Run | None:
        """Reads what there is; the run, once the message is whole.

        Raises:
            OSError: it ended before that.
        """
        if self.stdio:
            piece = link.recv(self._length - len(self._data))
            if not piece:
                raise ConnectionResetError("ended early")
            self._data += piece
        else:
            head, self.stdio, _, _ = socket.recv_fds(link, 4, len(STDIO))
            if len(self.stdio) != len(STDIO):
                raise ConnectionResetError("ended early")
            self._length = int.from_bytes(head, "big")
        return self._run() if len(self._data) == self._length else None

    def _run(self) -> Run:
        folder, words, argv, *texts = bytes(self._data).split(b"\0")
        entry, *fixed = (os.fsdecode(text) for text in texts[: int(words)])
        rest = texts[int(words) :]
        return Run(
            entry=entry,
            fixed=fixed,
            argv=[os.fsdecode(text) for text in rest[: int(argv)]],
            folder=folder,
            environ=dict(text.split(b"=", 1) for text in rest[int(argv) :]),
            stdio=self.stdio,
        )


def _close_all(descriptors: Iterable[int]) -> None:
    for descriptor in descriptors:
        os.close(descriptor)


class Server:
    """Forks, tells signals to children and their end to whoever stands for them."""

    def __init__(self, listener: socket.socket) -> None:
        self._listener = listener
        self._openings: dict[socket.socket, Opening] = {}
        self._links: dict[socket.socket, int] = {}
        self._woken, self._wakes = os.pipe()
        self._learnt, self._learns = os.pipe()
        self._selector = selectors.DefaultSelector()
        for number in (self._woken, self._wakes, self._learnt):
            os.set_blocking(number, False)
        for each in (sys.stdin, listener, self._woken, self._learnt):
            self._selector.register(each, selectors.EVENT_READ)

    def serve(self) -> None:
        """Until its standard input ends."""
        signal.set_wakeup_fd(self._wakes)
        signal.signal(signal.SIGCHLD, lambda *_: None)  # without a handler nothing is woken
        while True:
            for key, _ in self._selector.select():
                if key.fileobj is sys.stdin:
                    return self._close()
                if key.fileobj is self._listener:
                    self._begin()
                elif key.fileobj == self._woken:
                    os.read(self._woken, PIPE_BYTES)
                    self._reap()
                elif key.fileobj == self._learnt:
                    _import_all(os.read(self._learnt, PIPE_BYTES).decode().split())
                elif isinstance(key.fileobj, socket.socket):
                    if key.fileobj in self._openings:
                        self._open(key.fileobj)
                    elif key.fileobj in self._links:
                        self._receive(key.fileobj)

    def _begin(self) -> None:
        link, _ = self._listener.accept()
        link.setblocking(False)
        self._openings[link] = Opening()
        self._selector.register(link, selectors.EVENT_READ)

    def _open(self, link: socket.socket) -> None:
        """Reads on; nobody waits for an executable that was stopped before it had said it all."""
        opening = self._openings[link]
        try:
            run = opening.read(link)
        except OSError:
            self._close_opening(link)
            return
        if run is None:
            return
        with suppress(Exception):  # the child will fail again, where it is seen
            run.prepare()
        gc.freeze()
        try:
            self._fork(link, run)
        except OSError:  # a hostile test has taken all processes there may be
            self._close_opening(link)
        else:
            del self._openings[link]
            _close_all(run.stdio)

    def _close_opening(self, link: socket.socket) -> None:
        _close_all(self._openings.pop(link).stdio)
        self._selector.unregister(link)
        link.close()

    def _fork(self, link: socket.socket, run: Run) -> None:
        child = os.fork()
        if child == 0:
            try:
                self._leave(run)
                do(run, self._learns)
            finally:
                os._exit(1)  # whatever was raised: there must be no second server
        with suppress(OSError):
            os.setpgid(child, child)
        self._links[link] = child

    def _leave(self, run: Run) -> None:
        """Closes the server's descriptors, which a child must not hold."""
        signal.set_wakeup_fd(-1)
        signal.signal(signal.SIGCHLD, signal.SIG_DFL)
        self._selector.close()
        for each in (self._listener, *self._openings, *self._links):
            each.close()
        _close_all((self._woken, self._wakes, self._learnt))
        for opening in self._openings.values():
            if opening.stdio is not run.stdio:
                _close_all(opening.stdio)

    def _receive(self, link: socket.socket) -> None:
        data = b""
        with suppress(OSError):
            data = link.recv(PIECE_BYTES)
        child = self._links[link]
        if data:
            for number in data:
                os.kill(child, signal.SIGKILL if number == signal.SIGQUIT else number)
        else:
            self._forget(link)
            _kill(child)

    def _reap(self) -> None:
        with suppress(ChildProcessError):
            while (ended := os.waitpid(-1, os.WNOHANG))[0]:
                for link in [each for each, child in self._links.items() if child == ended[0]]:
                    code = os.waitstatus_to_exitcode(ended[1])
                    with suppress(OSError):
                        link.sendall(code.to_bytes(4, "big", signed=True))
                    self._forget(link)

    def _forget(self, link: socket.socket) -> None:
        self._selector.unregister(link)
        del self._links[link]
        link.close()

    def _close(self) -> None:
        for child in self._links.values():
            _kill(child)


def _kill(child: int) -> None:
    """With what it has started, as far as it stayed in its group."""
    with suppress(ProcessLookupError):
        os.killpg(child, signal.SIGKILL)


def do(run: Run, learns: int) -> NoReturn:
    """In the child: what the program does, up to the end of the process."""
    with suppress(OSError):
        os.setpgid(0, 0)
    for number, inherited in zip(STDIO, run.stdio, strict=True):
        os.dup2(inherited, number)
        os.close(inherited)
    os.chdir(run.folder)
    os.environb.clear()
    os.environb.update(run.environ)
    sys.argv = run.argv
    sys.modules["__main__"] = types.ModuleType("__main__")  # has no package to be named after
    sys.stdin, sys.stdout, sys.stderr = _streams()
    known = set(sys.modules)
    code = _outcome(run)
    for each in threading.enumerate():
        if each is not threading.main_thread() and not each.daemon:
            each.join()
    with suppress(OSError):
        sys.stdout.flush()
    _notify([name for name in sys.modules if name not in known], learns)
    os._exit(code)  # taking down so many modules would cost more than all before


def _streams() -> tuple[TextIO, TextIO, TextIO]:
    """As the interpreter opens them."""
    return (
        open(0, closefd=False),
        open(1, "w", closefd=False),
        open(2, "w", closefd=False, errors="backslashreplace", buffering=1),
    )


def _outcome(run: Run) -> int:
    """The exit code, as the interpreter would find it."""
    try:
        code = run.prepare()(*run.fixed)
    except SystemExit as end:
        code = end.code
    except KeyboardInterrupt:
        traceback.print_exc()
        signal.signal(signal.SIGINT, signal.SIG_DFL)
        os.kill(os.getpid(), signal.SIGINT)
        return 1
    except Exception:  # noqa: BLE001 - the end of a program: it is shown
        traceback.print_exc()
        return 1
    if code is None or isinstance(code, int):
        return (code or 0) & 255
    sys.stderr.write(f"{code}\n")
    return 1


def _notify(names: Iterable[str], learns: int) -> None:
    """Imports that were made on the way: the next child finds them made. In their order: `_asyncio`
    before `asyncio` would leave that with half of its parts in C."""
    piece = b""
    for name in names:
        if len(piece) + len(name) >= PIECE_BYTES:
            os.write(learns, piece)
            piece = b""
        piece += f"{name} ".encode()
    os.write(learns, piece)


def _import_all(names: list[str]) -> None:
    for name in names:
        with suppress(Exception):  # it is only needed sooner
            importlib.import_module(name)


def main(path: str) -> None:
    """Until nobody holds the other end of its standard input."""
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(path)
        listener.listen(64)
        sys.stdout.write("\n")
        sys.stdout.flush()
        Server(listener).serve()
    shutil.rmtree(Path(path).parent)


if __name__ == "__main__":
    if os.fork():  # nobody's child: a runner in a test ends whatever runs below its process
        os._exit(0)
    main(sys.argv[1])
