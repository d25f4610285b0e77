"""A gateway as a real process, for tests that kill and restart it."""

import base64
import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from gateway.cli.local.processes import GATEWAY, Child, wait_until_ready
from tests.databases import new_database
from tests.forks.children import gateway_child
from tests.ports import reserved_port
from tests.stores import NewDatabase

MASTER = f"k1:{base64.b64encode(b'm' * 32).decode()}"


def environ(folder: Path, port: int) -> dict[str, str]:
    """Settings of a gateway whose state is in this folder."""
    bare = {name: text for name, text in os.environ.items() if not name.startswith("SLIPGATE_")}
    return {
        **bare,
        "SLIPGATE_DATABASE_URL": f"sqlite:///{folder / 's.db'}",
        "SLIPGATE_SECRET_KEYS": MASTER,
        "SLIPGATE_PORT": str(port),
        "SLIPGATE_LOG": "json",
    }


@contextmanager
def gateway_process(
    folder: Path,
    extra: Mapping[str, str] | None = None,
    *,
    database: NewDatabase | None = None,
    is_public: bool = False,
    is_fork: bool = True,
) -> Iterator[tuple[Child, str, dict[str, str]]]:
    """The process, its address and its environment, once it is ready; `is_fork`: it was not started
    anew, and its number is not that of the child. Without a database it makes a file, `s.db`."""
    if database is None and not (folder / "s.db").exists():
        new_database(folder / "s.db")
    with reserved_port() as port:
        url = f"http://127.0.0.1:{port}"
        settings = {**environ(folder, port), **(extra or {})}
        if database is not None:
            settings["SLIPGATE_DATABASE_URL"] = database.url
        if is_public:
            settings["SLIPGATE_PUBLIC_URL"] = url
        settings["SLIPGATE_WORKSPACE_WAIT_SECONDS"] = "0"
        log = folder / "gateway.log"
        anew = Child("gateway", GATEWAY, settings, log)
        with gateway_child(settings, log) if is_fork else anew as child:
            wait_until_ready(url, child)
            yield child, url, settings
