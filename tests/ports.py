"""A port that stays a test's own while its gateway is killed and started again."""

import socket
import sys
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def reserved_port() -> Iterator[int]:
    """A port of this machine for a server that is told its number.

    It is kept bound without listening. A server that names it may listen on it all the same; who
    asks for any port gets another, in whichever of the test processes that run at the same time.
    Only Linux allows that; elsewhere the port is merely likely to stay free.
    """
    with socket.socket() as holder:
        holder.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        holder.bind(("127.0.0.1", 0))
        port: int = holder.getsockname()[1]
        if sys.platform != "linux":
            holder.close()
        yield port
