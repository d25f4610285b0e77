"""PgBouncer before a PostgreSQL server, as the tests start it."""

import os
import pwd
import shutil
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final
from urllib.parse import urlsplit

import psycopg

from tests.ports import reserved_port

PROGRAM: Final = shutil.which("pgbouncer", path=f"{os.environ['PATH']}:/usr/sbin")
MISSING: Final = "no PgBouncer: apt-get install pgbouncer"
SECONDS: Final = 60
"""Until a pooler that does not answer counts as broken."""
SETTINGS: Final = """
[databases]
* = host=127.0.0.1 port={server}
[pgbouncer]
listen_addr = 127.0.0.1
listen_port = {port}
unix_socket_dir =
auth_type = any
pool_mode = {mode}
"""


@contextmanager
def pooled(url: str, mode: str) -> Iterator[str]:
    """The URL of the same database behind a pooler in this mode."""
    server = urlsplit(url)
    with tempfile.TemporaryDirectory() as folder, reserved_port() as port:
        # With `auth_type = any` it takes the user of the server from here.
        words = SETTINGS.format(server=server.port, port=port, mode=mode)
        settings = Path(folder) / "pgbouncer.ini"
        settings.write_text(words.replace("port=", f"user={server.username} port="))
        options: dict[str, Any] = {}
        if not os.geteuid():  # it refuses to run as root
            nobody = pwd.getpwnam("nobody")
            Path(folder).chmod(0o755)
            options = {"user": nobody.pw_uid, "group": nobody.pw_gid, "extra_groups": ()}
        with subprocess.Popen(
            [str(PROGRAM), str(settings)],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            **options,
        ) as process:
            try:
                address = f"postgresql://{server.username}@127.0.0.1:{port}{server.path}"
                _wait(address)
                yield address
            finally:
                process.kill()


def _wait(url: str) -> None:
    deadline = time.monotonic() + SECONDS
    while True:
        try:
            psycopg.connect(url).close()
        except psycopg.OperationalError:
            assert time.monotonic() < deadline, "PgBouncer does not answer"
            time.sleep(0.01)
        else:
            return
