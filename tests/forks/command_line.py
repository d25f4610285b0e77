"""The command line, with what a gateway imports on its way: of most that tests start nobody would
learn it, for they are killed. Imported where forks are made."""

import importlib
from typing import Final

from gateway.cli.main import main

__all__ = ("main",)
LATE: Final = (
    "anyio._backends._asyncio",
    "gateway.cli.server_process",
    "gateway.server",
    "gateway.store.postgres.store",
    "httpcore",
    "uvicorn.lifespan.off",
    "uvloop",
)
"""Imports that a gateway or a launcher makes when it needs them."""

for name in LATE:
    importlib.import_module(name)
