"""slipgate installed from a wheel, away from its checkout, has all that it reads at run time."""

import asyncio
import json
import os
import shutil
import sqlite3
import subprocess
import sys
import sysconfig
import venv
from contextlib import closing
from pathlib import Path
from typing import Final

import pytest

from gateway.store.sqlite.migrations import newest, version
from launcher.snapshots.scripts import FOLDER, compute_digest

LOOKS: Final = """
import json
import gateway.ops
import slipgate.client as client
from gateway.web.openapi.examples import example_of
from gateway.web.operations import docs_pages
from launcher.snapshots.scripts import FOLDER
client.verify_webhook
print(json.dumps({
    "scripts": str(FOLDER), "example": str(example_of(None, "NewTask")), "client": client.__file__,
    "ops": [*gateway.ops.__path__][0], "pages": docs_pages.__file__,
}))
"""
"""A program of the installed packages that tells where their parts are."""
CHECKOUT: Final = Path(__file__).parents[2]
MADE_OF: Final = ("gateway", "launcher", "snapshot", "migrations", "pyproject.toml", "LICENSE")


def run(*words: str | Path, folder: Path, **more: str) -> str:
    """The output of a command that runs outside the checkout."""
    environ = {"PATH": os.environ["PATH"], "HOME": str(folder), **more}
    done = subprocess.run(
        words, cwd=folder, env=environ, capture_output=True, text=True, check=False, timeout=120
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.fixture
def installed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The `bin` of an environment with the wheel; what it depends on is that of this one."""
    folder = tmp_path_factory.mktemp("wheel")
    source = folder / "source"
    source.mkdir()
    for name in MADE_OF:
        if (CHECKOUT / name).is_dir():
            ignored = shutil.ignore_patterns("__pycache__")
            shutil.copytree(CHECKOUT / name, source / name, ignore=ignored)
        else:
            shutil.copy(CHECKOUT / name, source)
    # By pip, which calls the same function, it takes half as long again.
    build = "import sys; from setuptools.build_meta import build_wheel; build_wheel(sys.argv[1])"
    run(sys.executable, "-c", build, folder, folder=source)
    pip = (sys.executable, "-m", "pip", "--disable-pip-version-check")
    offline = ("--no-deps", "--no-index")
    (wheel,) = folder.glob("slipgate-*.whl")
    venv.create(folder / "venv")
    python = folder / "venv" / "bin" / "python"
    run(*pip, "--python", python, "install", "--no-compile", *offline, wheel, folder=folder)
    (library,) = (folder / "venv").glob("lib/python*/site-packages")
    # Our own editable install is not seen through this: what is named there is not read again.
    (library / "locked.pth").write_text(sysconfig.get_path("purelib"))
    shutil.rmtree(source)
    return python.parent


def test_it_has_its_commands_migrations_pages_and_the_scripts_of_the_snapshot(
    installed: Path, tmp_path: Path
) -> None:
    assert "launcher" in run(installed / "slipgate", "--help", folder=tmp_path)
    database = tmp_path / "s.db"
    address = f"sqlite:///{database}"
    run(installed / "slipgate", "migrate", folder=tmp_path, SLIPGATE_DATABASE_URL=address)
    with closing(sqlite3.connect(database)) as opened:
        assert version(opened) == newest()
    found = json.loads(run(installed / "python", "-c", LOOKS, folder=tmp_path))
    folder = Path(found["scripts"])
    assert folder.is_relative_to(installed.parent)
    assert asyncio.run(compute_digest(folder)) == asyncio.run(compute_digest())
    for file in FOLDER.rglob("*"):
        if file.is_file() and "__pycache__" not in file.parts:
            there = folder / file.relative_to(FOLDER)
            assert there.read_bytes() == file.read_bytes()
    assert "acme/widgets" in found["example"]
    client = Path(found["client"])
    assert client.is_relative_to(installed.parent)
    assert (client.parent / "py.typed").exists()
    folder = Path(found["ops"])
    assert {file.name for file in folder.iterdir()} >= {"alerts.yml", "grafana.json"}
    module = Path(found["pages"])
    client = module.parents[2] / "clients" / "slipgate.ts"
    assert client.read_bytes() == (CHECKOUT / "gateway" / "clients" / "slipgate.ts").read_bytes()
    pages = CHECKOUT / "gateway" / "docs"
    there = module.parents[2] / "docs"
    assert {file.name: file.read_bytes() for file in there.rglob("*.*")} == {
        file.name: file.read_bytes() for file in pages.rglob("*.*")
    }
    # What a page tells to apply or to copy: manifests of Kubernetes, units of systemd.
    deploy = CHECKOUT / "gateway" / "deploy"
    for file in (*deploy.rglob("*.yaml"), *deploy.rglob("*.service")):
        assert (
            there.parent / "deploy" / file.relative_to(deploy)
        ).read_bytes() == file.read_bytes()
