"""A gateway as a process, and its operator."""

from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from gateway.cli.operations.minting import mint
from tests.app import processes
from tests.cli.operator import Operator


@pytest.fixture(scope="module")
def gateway_process(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[str, Path]]:
    """The address and the folder of a running gateway."""
    folder = tmp_path_factory.mktemp("gateway")
    with processes.gateway_process(folder, is_public=True) as (_, url, environ):
        for scope in ("tasks", "launcher", "ops"):
            (folder / scope).write_text(mint(environ, scope, "default", "test").key)
        yield url, folder


@pytest.fixture
def operator(
    gateway_process: tuple[str, Path],
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> Iterator[Operator]:
    """Somebody who types commands against it."""
    url, folder = gateway_process
    monkeypatch.setenv("SLIPGATE_URL", url)
    monkeypatch.setenv("SLIPGATE_API_KEY", (folder / "tasks").read_text())
    with httpx.Client(base_url=url, trust_env=False, timeout=60) as http:
        yield Operator(
            http=http,
            key=(folder / "tasks").read_text(),
            launcher_key=(folder / "launcher").read_text(),
            capsys=capsys,
        )


@pytest.fixture
def ops(
    operator: Operator, gateway_process: tuple[str, Path], monkeypatch: pytest.MonkeyPatch
) -> Operator:
    """The operator, with a key that may change everything."""
    monkeypatch.setenv("SLIPGATE_API_KEY", (gateway_process[1] / "ops").read_text())
    return operator
