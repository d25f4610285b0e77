"""The real programs, with what `make engines` has fetched; without it, their tests say so."""

import sys
from pathlib import Path
from typing import Final

import pytest

MODULES: Final = Path(sys.prefix) / "engines" / "node_modules"
"""The packages of package.json, installed by the Makefile."""
PATTERNS: Final = {
    "claude": "@anthropic-ai/claude-code-linux-*/claude",
    "codex": "@openai/codex-linux-*/vendor/*/bin/codex",
    "opencode": "opencode-linux-*/bin/opencode",
}


def needs_programs() -> pytest.MarkDecorator:
    """A mark for tests that run the programs."""
    reason = "the agents' programs (1 GB) are not here: `make engines` fetches them where npm is"
    return pytest.mark.skipif(not all(map(_found, PATTERNS)), reason=reason)


def folder_of_programs(folder: Path) -> Path:
    """A folder for the PATH with all of them."""
    folder.mkdir()
    for name in PATTERNS:
        found = _found(name)
        assert found is not None
        (folder / name).symlink_to(found)
    return folder


def _found(name: str) -> Path | None:
    return next(iter(MODULES.glob(PATTERNS[name])), None)
