"""The containers: what compose.yaml starts, by the settings that the programs know."""

from pathlib import Path
from typing import Any, Final

import pytest
import yaml  # type: ignore[import-untyped]  # it ships no types

ROOT: Final = Path(__file__).parents[2]
PROJECT: Final[dict[str, Any]] = yaml.safe_load((ROOT / "compose.yaml").read_text())
OURS: Final = {
    name: service for name, service in PROJECT["services"].items() if service["image"] == "slipgate"
}
FORMS: Final = {
    "file": {"gateway", "launcher"},
    "postgres": {"postgres", "gateway-1", "gateway-2", "launcher-1", "launcher-2", "caddy"},
}


@pytest.mark.parametrize("profile", FORMS)
def test_a_profile_starts_all_that_it_needs_and_nothing_else(profile: str) -> None:
    services = PROJECT["services"]
    started = {name for name, service in services.items() if profile in service["profiles"]}
    assert started == FORMS[profile]
    needed = {other for name in started for other in services[name].get("depends_on", ())}
    assert needed <= started


@pytest.mark.parametrize("name", OURS)
def test_every_variable_is_a_setting_that_is_documented(name: str) -> None:
    documented = "".join(path.read_text() for path in (ROOT / "gateway/docs").glob("*.md"))
    unknown = [each for each in OURS[name]["environment"] if f"`{each}" not in documented]
    assert [each for each in unknown if not each.endswith(("_API_KEY", "_TOKEN"))] == []


@pytest.mark.parametrize("name", OURS)
def test_a_program_has_no_right_that_it_does_not_need(name: str) -> None:
    service = OURS[name]
    assert (service["read_only"], service["cap_drop"]) == (True, ["ALL"])
    assert service["security_opt"] == ["no-new-privileges:true"]
