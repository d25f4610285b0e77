"""The OpenAPI document under the linters that its readers use: no error, and no warning."""

import json
import os
import subprocess
from pathlib import Path
from typing import Any, Final

import pytest

from tests.interop.node import MODULES, NODE
from tests.web.contract import DOCUMENT

REDOCLY: Final = MODULES / ".bin" / "redocly"
SPECTRAL: Final = MODULES / ".bin" / "spectral"
WHOLE: Final = "openapi.json"
POOR: Final = "poor.json"
"""A document that both find fault with: without it, silence would prove nothing."""

OFF: Final = {"oas3-valid-media-example": "off"}
"""Two thirds of the time of spectral: `test_openapi` validates each example, and more strictly."""

pytestmark: Final = pytest.mark.skipif(
    NODE is None or not (REDOCLY.exists() and SPECTRAL.exists()),
    reason="the packages of npm are not here: `make test` fetches them where npm is",
)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder with both documents and the ruleset."""
    poor = {"openapi": "3.1.0", "info": {"title": "x", "version": "1"}, "paths": {}}
    for name, document in {
        WHOLE: DOCUMENT,
        POOR: poor,
        "ruleset.json": {"extends": "spectral:oas", "rules": OFF},
    }.items():
        (tmp_path / name).write_text(json.dumps(document), "utf-8")
    return tmp_path


def test_redocly_finds_nothing(folder: Path) -> None:
    out = _run(folder, REDOCLY, "lint", "--extends=recommended", "--format=json", WHOLE, POOR)
    whole, end = json.JSONDecoder().raw_decode(out)
    assert whole["problems"] == []
    assert json.loads(out[end:])["problems"] != []


def test_spectral_finds_nothing(folder: Path) -> None:
    out = _run(folder, SPECTRAL, "lint", "--quiet", "-f=json", "-r=ruleset.json", WHOLE, POOR)
    found: list[dict[str, Any]] = json.loads(out)
    assert [one for one in found if Path(one["source"]).name == WHOLE] == []
    assert [one for one in found if Path(one["source"]).name == POOR] != []


def _run(folder: Path, *command: str | Path) -> str:
    quiet = {"REDOCLY_TELEMETRY": "off", "REDOCLY_SUPPRESS_UPDATE_NOTICE": "true"}
    return subprocess.run(
        command,
        cwd=folder,
        env={**os.environ, **quiet},
        capture_output=True,
        text=True,
        check=False,
        timeout=240,
    ).stdout
