"""Passwords of the database: a wrong one is refused in one line, and none is in a log."""

import json
import tempfile
from collections.abc import Iterator, Mapping
from pathlib import Path

import httpx
import psycopg
import pytest

from gateway.cli.local.processes import wait_for, wait_until_ready
from tests.app.processes import environ
from tests.forks.children import gateway_child
from tests.ports import reserved_port
from tests.postgres.cluster import MISSING, SETTINGS, Cluster, programs, running_cluster

HBA = """
host all slipgate 127.0.0.1/32 trust
host all visitor 127.0.0.1/32 scram-sha-256
"""
WRONG = "hush-wrong"
RIGHT = "hush-right"


@pytest.fixture
def cluster() -> Iterator[Cluster]:
    """A server that asks the role `visitor` for its password."""
    if programs() is None:
        pytest.skip(MISSING)
    with tempfile.TemporaryDirectory() as folder:
        hba = Path(folder) / "hba.conf"
        hba.write_text(HBA)
        hba.chmod(0o644)
        Path(folder).chmod(0o755)
        with running_cluster({**SETTINGS, "hba_file": hba}) as running:
            with psycopg.connect(f"{running.address}/postgres", autocommit=True) as admin:
                admin.execute(f"CREATE ROLE visitor LOGIN PASSWORD '{RIGHT}'")
                admin.execute("CREATE DATABASE tasks OWNER visitor")
            yield running


def settings(folder: Path, cluster: Cluster, password: str, port: int) -> Mapping[str, str]:
    address = cluster.address.replace("slipgate@", f"visitor:{password}@")
    return {**environ(folder, port), "SLIPGATE_DATABASE_URL": f"{address}/tasks"}


def test_a_wrong_password_is_refused_in_one_line(tmp_path: Path, cluster: Cluster) -> None:
    with gateway_child(settings(tmp_path, cluster, WRONG, 0), tmp_path / "log") as child:
        wait_for(lambda: child.exit_code is not None, "it to be refused", child, 60)
    told = (tmp_path / "log").read_text()
    assert child.exit_code == 1
    assert 'password authentication failed for user "visitor"' in told
    assert "SLIPGATE_DATABASE_URL" in told
    assert ("Traceback" in told, "hush" in told) == (False, False)


def test_no_log_has_the_password_when_the_server_goes(tmp_path: Path, cluster: Cluster) -> None:
    with reserved_port() as port:
        given = settings(tmp_path, cluster, RIGHT, port)
        with gateway_child(given, tmp_path / "log") as child:
            url = f"http://127.0.0.1:{port}"
            wait_until_ready(url, child)
            cluster.kill()
            wait_for(lambda: "session.lost" in child.tail(1_000), "its session", child, 60)
            with httpx.Client(base_url=url, trust_env=False, timeout=60) as http:
                wait_for(lambda: http.get("/readyz").status_code == 503, "a commit", child, 60)
    told = (tmp_path / "log").read_text()
    assert ("Traceback" in told, "hush" in told) == (False, False)
    assert all(json.loads(line)["event"] for line in told.splitlines())
