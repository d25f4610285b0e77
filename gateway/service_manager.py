"""The messages of a gateway to systemd (sd_notify(3)): it serves, it lives, it stops."""

import socket
from collections.abc import Mapping
from typing import Final

WAYS: Final = ("/", "@")
"""First characters of an address: a file, or a name of Linux's own."""


class ServiceManager:
    """The socket of `NOTIFY_SOCKET`; without one, nothing is sent."""

    def __init__(self, environ: Mapping[str, str]) -> None:
        address = environ.get("NOTIFY_SOCKET", "")
        self._address = address.replace("@", "\0", 1) if address.startswith(WAYS) else ""
        microseconds = environ.get("WATCHDOG_USEC", "")
        self._every = int(microseconds) / 2_000_000 if microseconds.isdecimal() else None
        """Seconds between two signs of life: half of what systemd waits for one."""
        self._next = 0.0

    def ready(self) -> None:
        """The gateway takes requests."""
        self._send("READY=1")

    def stopping(self) -> None:
        """It takes no more."""
        self._send("STOPPING=1")

    def alive(self, now: float) -> None:
        """Its event loop goes round; `now` in seconds."""
        if self._every is not None and now >= self._next:
            self._next = now + self._every
            self._send("WATCHDOG=1")

    def _send(self, state: str) -> None:
        if not self._address:
            return
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC) as sender:
            sender.setblocking(False)
            try:
                sender.sendto(state.encode(), self._address)
            except OSError:
                # Systemd starts again what it does not hear of.
                return
