"""Dangers of the place a gateway runs in: a disk that goes, an address that nobody reaches."""

import asyncio
from collections.abc import Mapping
from pathlib import Path

import httpx
import pytest

from gateway.cli.main import main
from gateway.cli.operations.minting import mint
from gateway.hosting import dangers_of
from gateway.settings import read_settings
from launcher.doctor.gateway import check_gateway
from tests.app.processes import MASTER, gateway_process

SCOPES = ("ops", "tasks", "launcher")
PLAIN = "22 1 8:1 / / rw,relatime shared:1 - ext4 /dev/sda1 rw\n"
OVERLAY = "22 1 0:40 / / rw,relatime - overlay overlay rw,lowerdir=/l,upperdir=/u\n"
DATA = "40 22 8:1 {source} /data rw,relatime - {kind} /dev/sda1 rw\n"
NAMED = DATA.format(source="/var/lib/docker/volumes/slipgate_data/_data", kind="ext4")
ANONYMOUS = DATA.format(source=f"/var/lib/docker/volumes/{'0f' * 32}/_data", kind="ext4")
PODS = "/var/lib/kubelet/pods/0f/volumes"
EMPTY_DIR = DATA.format(source=f"{PODS}/kubernetes.io~empty-dir/data", kind="ext4")
CLAIM = DATA.format(source=f"{PODS}/kubernetes.io~csi/pvc-1/mount", kind="ext4")
ELSEWHERE = DATA.replace("/data", "/data2").format(source="/", kind="ext4")
SPACED = DATA.replace("/data", r"/my\040data").format(source="/", kind="ext4")


def codes(root: Path, mounts: str, given: Mapping[str, str]) -> list[str]:
    (root / "proc" / "self").mkdir(parents=True)
    (root / "proc" / "self" / "mountinfo").write_text(mounts)
    environ = {"SLIPGATE_DATABASE_URL": "sqlite:////data/s.db", **given}
    settings = read_settings({"SLIPGATE_SECRET_KEYS": MASTER, **environ})
    return [danger.code for danger in dangers_of(settings, environ, root)]


@pytest.mark.parametrize(
    ("mounts", "given", "is_ephemeral"),
    [
        (PLAIN, {}, False),
        (OVERLAY, {}, True),
        (OVERLAY + NAMED, {}, False),
        (OVERLAY + ANONYMOUS, {}, True),
        (OVERLAY + EMPTY_DIR, {}, True),
        (OVERLAY + CLAIM, {"KUBERNETES_SERVICE_HOST": "10.0.0.1"}, False),
        (OVERLAY + ELSEWHERE, {}, True),
        (OVERLAY + SPACED, {"SLIPGATE_DATABASE_URL": "sqlite:////my data/s.db"}, False),
        (PLAIN + DATA.format(source="/", kind="tmpfs"), {}, True),
        (PLAIN + NAMED + DATA.format(source="/", kind="tmpfs"), {}, True),
        *((PLAIN, {name: "x"}, True) for name in ("FLY_APP_NAME", "RENDER", "K_SERVICE")),
        (PLAIN + DATA.format(source="/", kind="ext4"), {"RAILWAY_ENVIRONMENT_ID": "x"}, False),
        (OVERLAY, {"SLIPGATE_DATABASE_URL": "postgresql://db.example/slipgate"}, False),
    ],
)
def test_a_database_that_ends_with_its_container_is_a_danger(
    tmp_path: Path, mounts: str, given: Mapping[str, str], is_ephemeral: bool
) -> None:
    found = codes(tmp_path, mounts, given)
    assert found == (["ephemeral_database"] if is_ephemeral else [])


@pytest.mark.parametrize(
    ("given", "has_danger"),
    [
        ({}, False),
        ({"PORT": "8080"}, True),
        ({"PORT": "8080", "SLIPGATE_HOST": "0.0.0.0"}, False),
        ({"PORT": "8080", "SLIPGATE_HOST": "::"}, False),
        ({"PORT": "8080", "SLIPGATE_PORT": "8700"}, False),
        ({"SLIPGATE_PUBLIC_URL": "https://slipgate.example.com"}, True),
        ({"SLIPGATE_PUBLIC_URL": "https://slipgate.example.com", "SLIPGATE_HOST": "::1"}, True),
        ({"SLIPGATE_PUBLIC_URL": "http://127.0.0.1:8700"}, False),
        (
            {
                "SLIPGATE_PUBLIC_URL": "https://slipgate.example.com",
                "SLIPGATE_TRUSTED_PROXIES": "10.0.0.0/8,127.0.0.0/8",
            },
            False,
        ),
    ],
)
def test_a_loopback_address_beside_a_public_one_is_a_danger(
    tmp_path: Path, given: Mapping[str, str], has_danger: bool
) -> None:
    found = codes(tmp_path, PLAIN, given)
    assert found == (["listens_on_loopback"] if has_danger else [])


def test_a_gateway_logs_its_dangers_shows_them_and_serves(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    public = {
        "SLIPGATE_PUBLIC_URL": "https://slipgate.example.com",
        "SLIPGATE_MIN_FREE_MIB": "0",
    }
    with gateway_process(tmp_path, public) as (_, url, environ):
        log = (tmp_path / "gateway.log").read_text()
        keys = {scope: mint(environ, scope, "default", "x").key for scope in SCOPES}
        bearers = {scope: {"authorization": f"Bearer {key}"} for scope, key in keys.items()}
        with httpx.Client(base_url=url, trust_env=False, timeout=60) as http:
            shown = {
                scope: http.get("/v1/status", headers=bearers[scope]).json()
                for scope in ("ops", "tasks")
            }
        monkeypatch.setenv("SLIPGATE_URL", url)
        monkeypatch.setenv("SLIPGATE_API_KEY", keys["ops"])
        assert main(["status"]) == 0
        view, checks = asyncio.run(check_gateway(url, keys["launcher"]))
    assert '"code":"listens_on_loopback"' in log
    assert "SLIPGATE_HOST=0.0.0.0" in log
    told = capsys.readouterr().out
    assert ("listens_on_loopback" in told, "SLIPGATE_HOST=0.0.0.0" in told) == (True, True)
    codes = [warning["code"] for warning in shown["ops"]["warnings"]]
    # Where the tests run, the disk may be one that goes.
    assert (codes[-1], shown["ops"]["ok"]) == ("listens_on_loopback", True)
    assert shown["tasks"]["warnings"] == []
    assert view is not None
    assert [check.outcome for check in checks] == ["ok", "ok", *("warning" for _ in codes)]
    assert "listens_on_loopback" in checks[-1].message
