"""The alerts, the dashboard and the page about metrics name metrics that the gateway exports, and
commands that exist."""

import json
import re
import shlex
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

import pytest
import yaml  # type: ignore[import-untyped]  # it ships no types

from tests.docs.test_commands import check
from tests.stores import FileDatabase
from tests.web.callers import open_gateway

ROOT: Final = Path(__file__).parents[2]
ALERTS: Final = ROOT / "gateway" / "ops" / "alerts.yml"
RULES: Final = [
    rule for group in yaml.safe_load(ALERTS.read_text("utf-8"))["groups"] for rule in group["rules"]
]
DASHBOARD: Final = json.loads((ROOT / "gateway" / "ops" / "grafana.json").read_text("utf-8"))
PAGE: Final = (ROOT / "gateway" / "docs" / "operate.md").read_text("utf-8")
FOR_A_SEARCH: Final = {"slipgate_connections_refused_total"}
"""Metrics that are looked at when something else is wrong."""


async def exported(folder: Path) -> dict[str, str]:
    """The type of each metric."""
    async with open_gateway(FileDatabase(folder / "slipgate.db")) as gateway:
        text = (await gateway.get("/metrics", "read")).text
    return dict(re.findall(r"^# TYPE (slipgate_\w+) (\w+)$", text, re.MULTILINE))


def named(text: str, types: dict[str, str]) -> set[str]:
    """The metrics of expressions; of a histogram without the end of its series."""
    found = set()
    for name in re.findall(r"slipgate_\w+", text):
        base = re.sub(r"_(bucket|count|sum)$", "", name)
        found.add(base if types.get(base) == "histogram" else name)
    return found


def expressions() -> Iterator[str]:
    yield from (rule["expr"] for rule in RULES)
    for panel in DASHBOARD["panels"]:
        yield from (target["expr"] for target in panel["targets"])


async def test_they_name_what_is_exported_and_leave_nothing_out(tmp_path: Path) -> None:
    types = await exported(tmp_path)
    used = named("\n".join(expressions()), types)
    assert used - types.keys() == set()
    assert types.keys() - used == FOR_A_SEARCH


async def test_the_page_has_each_metric_once(tmp_path: Path) -> None:
    types = await exported(tmp_path)
    _, _, section = PAGE.partition("## Metrics and alerts\n")
    table = [line for line in section.partition("\n## ")[0].splitlines() if line.startswith("| `")]
    listed = [name for line in table for name in re.findall(r"`(slipgate_\w+)", line.split("|")[1])]
    assert sorted(listed) == sorted(types)


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule["alert"])
def test_an_alert_says_what_is_wrong_and_gives_a_command(rule: dict[str, Any]) -> None:
    assert rule["labels"]["severity"] in {"critical", "warning"}
    texts = rule["annotations"]
    assert set(texts) == {"summary", "description", "command"}
    program, *arguments = shlex.split(re.sub(r"\{\{.*?\}\}", "x", texts["command"]))
    assert program == "slipgate"
    check(arguments)
    assert f"`{rule['alert']}`" in PAGE


def test_the_dashboard_lets_one_choose_its_data_source_and_gateway() -> None:
    assert [each["name"] for each in DASHBOARD["templating"]["list"]] == ["datasource", "instance"]
    numbers = [panel["id"] for panel in DASHBOARD["panels"]]
    assert len(set(numbers)) == len(numbers)
    for panel in DASHBOARD["panels"]:
        for target in panel["targets"]:
            assert target["datasource"]["uid"] == "${datasource}"
            assert 'instance=~"$instance"' in target["expr"]


@pytest.mark.skipif(shutil.which("promtool") is None, reason="promtool is not installed")
def test_prometheus_takes_the_rules() -> None:
    done = subprocess.run(
        ["promtool", "check", "rules", str(ALERTS)], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
