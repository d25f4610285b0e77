"""Single keys on a terminal, while something else runs."""

import os
import select
import sys
import termios
import threading
import tty
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Final

_POLL: Final = 0.2
"""Seconds between two looks at the end."""


@contextmanager
def keys_pressed(handlers: Mapping[str, Callable[[], None]]) -> Iterator[bool]:
    """Calls the handler of each key that is pressed, in a thread; False: stdin is no terminal."""
    if not (sys.stdin.isatty() and sys.stdout.isatty()):
        yield False
        return
    stdin, over = sys.stdin.fileno(), threading.Event()
    before = termios.tcgetattr(stdin)
    tty.setcbreak(stdin)  # Ctrl-C stays a signal
    thread = threading.Thread(target=_read, args=(stdin, handlers, over), daemon=True)
    thread.start()
    try:
        yield True
    finally:
        over.set()
        thread.join()
        termios.tcsetattr(stdin, termios.TCSADRAIN, before)


def _read(stdin: int, handlers: Mapping[str, Callable[[], None]], over: threading.Event) -> None:
    while not over.is_set():
        if not select.select([stdin], [], [], _POLL)[0]:
            continue
        key = os.read(stdin, 1)  # unbuffered: the next one is for the next look
        if not key:
            return
        handler = handlers.get(key.decode("ascii", "replace"))
        if handler is not None:
            handler()
