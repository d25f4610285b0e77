"""The containers: what compose.yaml starts, by the settings that the programs know."""

import re
from pathlib import Path
from typing import Any, Final

import pytest
import yaml  # type: ignore[import-untyped]  # it ships no types

ROOT: Final = Path(__file__).parents[2]
PROJECT: Final[dict[str, Any]] = yaml.safe_load((ROOT / "compose.yaml").read_text())
SERVICES: Final[dict[str, Any]] = PROJECT["services"]
DOCKERFILE: Final = (ROOT / "Dockerfile").read_text()
OURS: Final = ("gateway", "launcher")


@pytest.mark.parametrize(
    ("profile", "started"),
    [(None, {"gateway", "launcher", "caddy"}), ("postgres", {*SERVICES})],
    ids=["file", "postgres"],
)
def test_a_profile_starts_all_that_it_needs_and_nothing_else(
    profile: str | None, started: set[str]
) -> None:
    """Without one there is no service whose start another waits for in vain."""
    found = {
        name: service
        for name, service in SERVICES.items()
        if profile in service.get("profiles", (profile,))
    }
    assert {*found} == started
    for service in found.values():
        needed = service.get("depends_on", {})
        optional = {
            n for n in needed if isinstance(needed, dict) and not needed[n].get("required", True)
        }
        assert {*needed} - optional <= started


def test_it_starts_without_any_setting() -> None:
    """Docker Compose refuses a variable without a default only if it is marked so."""
    assert re.findall(r"\$\{\w+:?\?", (ROOT / "compose.yaml").read_text()) == []


@pytest.mark.parametrize("name", OURS)
def test_every_variable_is_a_setting_that_is_documented(name: str) -> None:
    documented = "".join(path.read_text() for path in (ROOT / "gateway/docs").glob("*.md"))
    unknown = [each for each in SERVICES[name]["environment"] if f"`{each}" not in documented]
    assert [each for each in unknown if not each.endswith(("_API_KEY", "_TOKEN"))] == []


@pytest.mark.parametrize("name", OURS)
def test_a_program_has_no_right_that_it_does_not_need(name: str) -> None:
    service = SERVICES[name]
    assert (service["read_only"], service["cap_drop"]) == (True, ["ALL"])
    assert service["security_opt"] == ["no-new-privileges:true"]


def test_the_launcher_sees_of_the_gateways_secrets_its_key_alone() -> None:
    gateway, launcher = (SERVICES[name] for name in OURS)
    shared = {mount.partition(":")[0] for mount in launcher["volumes"]}
    assert [mount for mount in launcher["volumes"] if not mount.endswith(":ro")] == []
    files = {name: text for name, text in gateway["environment"].items() if name.endswith("_FILE")}
    of_launcher = files.pop("SLIPGATE_BOOTSTRAP_LAUNCHER_KEY_FILE")
    assert of_launcher == launcher["environment"]["SLIPGATE_API_KEY_FILE"]
    folders = {mount.split(":")[0]: mount.split(":")[1] for mount in gateway["volumes"]}
    assert folders.keys() >= shared
    assert {Path(of_launcher).parent} == {Path(folders[name]) for name in shared}
    assert not [text for text in files.values() if Path(text).parent == Path(of_launcher).parent]


def test_a_volume_is_owned_by_the_user_of_the_image() -> None:
    """A new volume takes its owner from the folder of the image that it is mounted at."""
    (made,) = re.findall(
        r"install --directory --owner=(\d+) .*?((?: /\w+)+)$", DOCKERFILE, re.MULTILINE
    )
    owner, folders = made
    assert re.findall(r"^ARG RUN_AS=(\d+):", DOCKERFILE, re.MULTILINE) == [owner]
    mounted = {mount.split(":")[1] for name in OURS for mount in SERVICES[name]["volumes"]}
    assert mounted <= {*folders.split()}
