"""A view that is drawn again and again, until Ctrl-C."""

import sys
import time
from collections.abc import Callable
from typing import Final

from rich.console import RenderableType
from rich.live import Live

from gateway.cli.console.terminal import out

EVERY: Final = 2.0
"""Seconds between two readings."""


def redraw(
    read: Callable[[], RenderableType], *, sleep: Callable[[float], None] = time.sleep
) -> None:
    """Draws a view in place on a terminal, elsewhere one below the other."""
    try:
        if not sys.stdout.isatty():
            while True:
                out.print(read())
                sleep(EVERY)
        with Live(read(), console=out, screen=True, auto_refresh=False) as live:
            while True:
                sleep(EVERY)
                live.update(read(), refresh=True)
    except KeyboardInterrupt:
        return
