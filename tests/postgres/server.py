"""The process that keeps the PostgreSQL server of a run of the tests, as long as that goes on."""

import os
import socket
import sys
from pathlib import Path

import psycopg

from gateway.store.postgres.migrations import migrate
from tests.postgres.cluster import running_cluster

TEMPLATE = "slipgate_template"
"""A database of today's schema."""


def main(session: str) -> None:
    """Until the fork server of the run is gone: to it, this is a program that never says what it
    wants."""
    with socket.socket(socket.AF_UNIX) as link:
        link.connect(session)
        with running_cluster() as cluster:
            _make_template(cluster.address)
            Path(session).with_name("postgres").write_text(cluster.address)
            sys.stdout.write("\n")
            sys.stdout.flush()
            link.recv(1)


def _make_template(address: str) -> None:
    with psycopg.connect(f"{address}/postgres", autocommit=True) as admin:
        admin.execute(f"CREATE DATABASE {TEMPLATE}")
        with psycopg.connect(f"{address}/{TEMPLATE}", autocommit=True) as database:
            migrate(database)


if __name__ == "__main__":
    if os.fork():  # nobody's child: a runner in a test ends whatever runs below its process
        os._exit(0)
    main(sys.argv[1])
