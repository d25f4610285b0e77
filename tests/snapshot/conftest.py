"""One sandbox a test."""

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.snapshot.gateway_stub import GatewayStub
from tests.snapshot.github_stub import GitHubStub
from tests.snapshot.model_stub import ModelStub
from tests.snapshot.repositories import WIDGETS, Bare
from tests.snapshot.sandbox import Sandbox


@pytest.fixture(scope="session")
def template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A project with a failing test, made once."""
    root = tmp_path_factory.mktemp("template") / "remote"
    Bare.made(root, WIDGETS)
    return root


@pytest.fixture
def remote(template: Path, tmp_path: Path) -> Bare:
    """A copy of it for one test."""
    shutil.copytree(template, tmp_path / "remote")
    return Bare(tmp_path / "remote")


@pytest.fixture
def sandbox(remote: Bare, tmp_path: Path) -> Iterator[Sandbox]:
    """The project, a gateway, a GitHub and a model."""
    sandbox = made(tmp_path, remote)
    yield sandbox
    sandbox.close()


@pytest.fixture
def from_entrypoint(sandbox: Sandbox) -> None:
    """For what is about the starts of the programs, or what their processes show."""
    sandbox.starts_at_the_entrypoint()


def made(root: Path, remote: Bare) -> Sandbox:
    """A sandbox with stubs around it; the caller closes it."""
    return Sandbox(
        root=root, remote=remote, gateway=GatewayStub(), github=GitHubStub(), model=ModelStub()
    )
