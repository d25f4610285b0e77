"""Every error has its advice."""

import re
from pathlib import Path
from typing import Final

import pytest

from gateway.domain.explain.advice import ADVICE

CODE: Final = r"(?:Failure|RepositoryRejected|ProviderError)\(\s*\"([a-z_]+)\""
BY_STATUS: Final = r"\(\"(model_[a-z_]+)\", (?:True|False)\)"
PROJECT: Final = Path(__file__).parents[3]

OURS: Final = [
    "launch_timeout",
    "snapshot_not_found",
    "snapshot_inactive",
    "wrong_snapshot",
    "provider_auth",
    "provider_quota",
    "provider_unavailable",
    "realm_missing",
    "sandbox_gone",
    "sandbox_stopped",
    "sandbox_error",
    "agent_exited",
    "agent_silent",
    "run_timeout",
    "expired",
]


def _codes(folder: str, pattern: str) -> set[str]:
    sources = [file.read_text() for file in (PROJECT / folder).rglob("*.py")]
    return {code for source in sources for code in re.findall(pattern, source)}


@pytest.mark.parametrize("code", OURS)
def test_every_error_of_the_lifecycle_has_advice(code: str) -> None:
    assert code in ADVICE


@pytest.mark.parametrize(
    ("folder", "pattern", "one_of_them"),
    [
        ("snapshot/runner", CODE, "clone_failed"),
        ("snapshot/runner", BY_STATUS, "model_auth"),
        ("launcher", CODE, "name_taken"),
    ],
    ids=["of the agents", "of their models", "of the launchers"],
)
def test_every_code_in_the_sources_has_advice(folder: str, pattern: str, one_of_them: str) -> None:
    codes = _codes(folder, pattern)
    assert one_of_them in codes
    assert codes - ADVICE.keys() <= {"cancelled"}


@pytest.mark.parametrize("text", ADVICE.values(), ids=ADVICE.keys())
def test_advice_stands_inside_a_sentence(text: str) -> None:
    assert text[0].islower() or text.startswith("GITHUB")
    assert not text.endswith(".")
    assert ";" not in text
