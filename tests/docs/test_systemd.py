"""The units of systemd: valid, hardened, and by what the gateway tells of itself."""

import configparser
import os
import re
import shutil
import socket
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import pytest

from gateway.cli.local.processes import wait_for
from tests.app.processes import gateway_process
from tests.docs.samples import ROOT
from tests.docs.test_commands import check

UNITS: Final = tuple(sorted((ROOT / "gateway" / "deploy" / "systemd").glob("*.service")))
ANALYZE: Final = shutil.which("systemd-analyze")
PAGE: Final = (ROOT / "gateway" / "docs" / "deploy.md").read_text("utf-8")
MEASURED_WITH: Final = 252
"""The version whose figure the page gives; others weigh other lines."""


def sections(unit: Path) -> configparser.ConfigParser:
    """Its lines; of a key that stands several times the last one."""
    parser = configparser.ConfigParser(interpolation=None, strict=False)
    parser.optionxform = str  # type: ignore[assignment, method-assign] # systemd's names have case
    parser.read(unit)
    return parser


@pytest.mark.parametrize("unit", UNITS, ids=lambda unit: unit.stem)
def test_a_unit_starts_a_command_with_settings_that_are_documented(unit: Path) -> None:
    program, *arguments = sections(unit)["Service"]["ExecStart"].split()
    assert program == "/opt/slipgate/bin/slipgate"
    check(arguments)
    reference = (ROOT / "gateway" / "docs" / "reference.md").read_text("utf-8")
    names = re.findall(r"^Environment=(\w+)=", unit.read_text(), re.MULTILINE)
    assert [name for name in names if f"`{name}`" not in reference] == []
    assert len(names) >= 3


@pytest.mark.skipif(ANALYZE is None, reason="systemd-analyze is not here")
@pytest.mark.parametrize("unit", UNITS, ids=lambda unit: unit.stem)
def test_systemd_finds_no_mistake_and_the_exposure_that_the_page_says(
    unit: Path, tmp_path: Path
) -> None:
    copy = tmp_path / unit.name
    copy.write_text(unit.read_text().replace("/opt/slipgate/bin/slipgate", "/bin/true"))
    verify = [ANALYZE or "", "verify", str(copy)]
    done = subprocess.run(verify, capture_output=True, text=True, check=False, timeout=60)
    mistakes = [line for line in done.stderr.splitlines() if unit.name in line]
    assert (done.returncode, mistakes) == (0, [])
    security = [ANALYZE or "", "security", "--offline=yes", "--no-pager", str(copy)]
    shown = subprocess.run(security, capture_output=True, text=True, check=True, timeout=60).stdout
    (exposure,) = re.findall(r"exposure level for \S+: ([\d.]+)", shown)
    version = subprocess.run(
        [ANALYZE or "", "--version"], capture_output=True, text=True, check=True
    )
    if version.stdout.split()[1] == str(MEASURED_WITH):
        assert f"gives both {exposure} of 10" in PAGE
    assert float(exposure) < 2


@pytest.fixture
def messages() -> Iterator[tuple[str, list[str], socket.socket]]:
    """An address of systemd, and what comes to it."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as receiver:
        name = f"slipgate-test-{os.getpid()}-{id(receiver)}"
        receiver.bind(f"\0{name}")
        receiver.settimeout(60)
        yield f"@{name}", [], receiver


def test_a_gateway_says_that_it_is_ready_that_it_lives_and_that_it_stops(
    tmp_path: Path, messages: tuple[str, list[str], socket.socket]
) -> None:
    address, states, receiver = messages
    given = {"NOTIFY_SOCKET": address, "WATCHDOG_USEC": "400000"}
    with gateway_process(tmp_path, given) as (child, _, _):
        while states.count("WATCHDOG=1") < 2:
            states.append(receiver.recv(64).decode())
        assert "STOPPING=1" not in states
        child.stop()
        wait_for(lambda: child.exit_code == 0, "the gateway to stop", child, 60)
        while "STOPPING=1" not in states:
            states.append(receiver.recv(64).decode())
    assert states.count("READY=1") == states.count("STOPPING=1") == 1
    assert states.index("READY=1") < states.index("STOPPING=1")
