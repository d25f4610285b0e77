"""One sandbox a test."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.snapshot.gateway_stub import GatewayStub
from tests.snapshot.github_stub import GitHubStub
from tests.snapshot.model_stub import ModelStub
from tests.snapshot.repositories import WIDGETS, Bare
from tests.snapshot.sandbox import Sandbox


@pytest.fixture
def sandbox(tmp_path: Path) -> Iterator[Sandbox]:
    """A project with a failing test, a gateway, a GitHub and a model."""
    made = Sandbox(
        root=tmp_path,
        remote=Bare(tmp_path / "remote", WIDGETS),
        gateway=GatewayStub(),
        github=GitHubStub(),
        model=ModelStub(),
    )
    yield made
    made.close()
