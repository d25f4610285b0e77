"""The manifests for Kubernetes: by the settings, paths and deadlines that the programs have."""

import shutil
import subprocess
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any, Final

import httpx
import pytest
import yaml  # type: ignore[import-untyped]  # it ships no types

from gateway.settings import read_settings
from launcher.settings import read_settings as read_launcher_settings
from tests.app.processes import MASTER, gateway_process
from tests.docs.samples import ROOT, in_language
from tests.docs.test_commands import check

FOLDER: Final = ROOT / "gateway" / "deploy" / "kubernetes"
OVERLAYS: Final = ("file", "postgres")
KUBECTL: Final = shutil.which("kubectl")
SECRETS: Final = "/run/secrets/slipgate"
DRAIN_SECONDS: Final = 10
"""Seconds in which a gateway ends once it stops."""

built = pytest.mark.skipif(KUBECTL is None, reason="kubectl, which builds overlays, is not here")


@cache
def documents(overlay: str) -> tuple[dict[str, Any], ...]:
    """The objects that `kubectl apply --kustomize` would send."""
    command = [KUBECTL or "", "kustomize", str(FOLDER / overlay)]
    made = subprocess.run(command, capture_output=True, text=True, check=True, timeout=60)
    return tuple(yaml.safe_load_all(made.stdout))


def pods(overlay: str) -> Iterator[dict[str, Any]]:
    """The pods of its deployments, gateway first."""
    for each in documents(overlay):
        if each["kind"] == "Deployment":
            yield each["spec"]["template"]["spec"]


def containers(overlay: str) -> Iterator[dict[str, Any]]:
    for pod in pods(overlay):
        yield from (*pod.get("initContainers", ()), *pod["containers"])


def environ(overlay: str, container: dict[str, Any], folder: Path) -> dict[str, str]:
    """Its variables, with the files of its secrets in a folder of ours."""
    maps = {each["metadata"]["name"]: each for each in documents(overlay)}
    given: dict[str, str] = {}
    for source in container["envFrom"]:
        if "configMapRef" in source:
            given |= maps[source["configMapRef"]["name"]]["data"]
        else:
            given["DAYTONA_API_KEY"] = "dtn_key"
    given |= {
        each["name"]: each.get("value", "postgresql://db/s") for each in container.get("env", ())
    }
    return {name: text.replace(SECRETS, str(folder)) for name, text in given.items()}


@built
@pytest.mark.parametrize("overlay", OVERLAYS)
def test_the_programs_take_the_settings_they_are_given(overlay: str, tmp_path: Path) -> None:
    for name in ("ops-key", "launcher-key"):
        (tmp_path / name).write_text(f"slip_{name.partition('-')[0]}_{'A' * 43}")
    (tmp_path / "master-keys").write_text(MASTER)
    for container in containers(overlay):
        check(container["args"])
        given = environ(overlay, container, tmp_path)
        if container["name"] == "launcher":
            assert read_launcher_settings(given).url == "http://slipgate-gateway:8700"
            continue
        settings = read_settings(given)
        assert (settings.bootstrap_key_file, settings.host) == (tmp_path / "ops-key", "127.0.0.1")
        known = {*given} - {"SLIPGATE_API_KEY_FILE"}
        assert all(
            f"`{name}`" in (ROOT / "gateway/docs/reference.md").read_text() for name in known
        )


@built
@pytest.mark.parametrize("overlay", OVERLAYS)
def test_a_pod_has_the_level_restricted_and_no_token(overlay: str) -> None:
    for pod in pods(overlay):
        context = pod["securityContext"]
        assert (context["runAsNonRoot"], context["runAsUser"]) == (True, 10001)
        assert context["seccompProfile"] == {"type": "RuntimeDefault"}
        assert pod["automountServiceAccountToken"] is False
        assert not [each for each in pod["volumes"] if "hostPath" in each]
    for container in containers(overlay):
        context = container["securityContext"]
        assert context["allowPrivilegeEscalation"] is False
        assert (context["readOnlyRootFilesystem"], context["capabilities"]) == (
            True,
            {"drop": ["ALL"]},
        )
        assert container["resources"].keys() == {"requests", "limits"}


@built
@pytest.mark.parametrize("overlay", OVERLAYS)
def test_there_is_time_for_a_stop_in_which_nobody_is_sent_to_the_gateway(
    overlay: str, tmp_path: Path
) -> None:
    pod, container = next(pods(overlay)), next(pods(overlay))["containers"][0]
    delay = int(environ(overlay, container, tmp_path)["SLIPGATE_STOP_DELAY_SECONDS"])
    ready = container["readinessProbe"]
    assert ready["periodSeconds"] * ready["failureThreshold"] < delay
    assert pod["terminationGracePeriodSeconds"] >= delay + DRAIN_SECONDS


@built
def test_a_file_has_one_gateway_at_a_time_and_its_volume() -> None:
    (gateway, _) = (each["spec"] for each in documents("file") if each["kind"] == "Deployment")
    assert (gateway["replicas"], gateway["strategy"]) == (1, {"type": "Recreate"})
    claims = [
        each["metadata"]["name"] for each in documents("file") if each["kind"].endswith("Claim")
    ]
    volumes = next(pods("file"))["volumes"]
    assert [
        v["persistentVolumeClaim"]["claimName"] for v in volumes if v["name"] == "data"
    ] == claims
    assert not [each for each in documents("file") if each["kind"] == "PodDisruptionBudget"]


@built
def test_several_gateways_keep_one_while_a_node_is_drained() -> None:
    (gateway, _) = (each["spec"] for each in documents("postgres") if each["kind"] == "Deployment")
    (budget,) = (each["spec"] for each in documents("postgres") if "Budget" in each["kind"])
    assert 0 < budget["minAvailable"] < gateway["replicas"]
    assert gateway["strategy"]["rollingUpdate"]["maxUnavailable"] == 0
    labels = gateway["template"]["metadata"]["labels"].items()
    assert budget["selector"]["matchLabels"].items() <= labels


def test_a_gateway_answers_what_is_asked_of_it(tmp_path: Path) -> None:
    """The probes, and the path of Prometheus with a key."""
    (deployment,) = (
        each
        for each in yaml.safe_load_all((FOLDER / "base" / "gateway.yaml").read_text())
        if each["kind"] == "Deployment"
    )
    (container,) = deployment["spec"]["template"]["spec"]["containers"]
    (port,) = container["ports"]
    assert (port["name"], port["containerPort"]) == (
        "http",
        read_settings({"SLIPGATE_SECRET_KEYS": MASTER}).port,
    )
    probes = [container[f"{name}Probe"]["httpGet"] for name in ("startup", "liveness", "readiness")]
    monitor = yaml.safe_load((FOLDER / "monitoring" / "service-monitor.yaml").read_text())
    (endpoint,) = monitor["spec"]["endpoints"]
    assert {endpoint["port"], *(probe["port"] for probe in probes)} == {"http"}
    file = tmp_path / "ops-key"
    with gateway_process(tmp_path, {"SLIPGATE_BOOTSTRAP_KEY_FILE": str(file)}) as (_, url, _):
        for probe in probes:
            assert httpx.get(f"{url}{probe['path']}", trust_env=False).status_code == 200
        headers = {"authorization": f"Bearer {file.read_text()}"}
        answer = httpx.get(f"{url}{endpoint['path']}", headers=headers, trust_env=False)
        assert answer.status_code == 200


@built
def test_the_kustomization_of_the_page_is_built(tmp_path: Path) -> None:
    (sample,) = (each for each in in_language("yaml") if each.path == "kustomization.yaml")
    folder = tmp_path / "own"
    shutil.copytree(FOLDER, tmp_path / "kubernetes")
    folder.mkdir()
    text = sample.text.replace("github.com/acme/slipgate/gateway/deploy", "..")
    (folder / "kustomization.yaml").write_text(text)
    command = [KUBECTL or "", "kustomize", str(folder)]
    made = subprocess.run(command, capture_output=True, text=True, check=True, timeout=60).stdout
    kinds = {each["kind"] for each in yaml.safe_load_all(made)}
    assert {"ServiceMonitor", "PodDisruptionBudget", "NetworkPolicy"} <= kinds
    assert "SLIPGATE_PUBLIC_URL: https://slipgate.example.com" in made
    # The launcher alone has a token, if it makes Jobs.
    assert "SLIPGATE_PROVIDERS: kubernetes" in made
    deployments = [each for each in yaml.safe_load_all(made) if each["kind"] == "Deployment"]
    tokens = {
        each["metadata"]["name"]: each["spec"]["template"]["spec"]["automountServiceAccountToken"]
        for each in deployments
    }
    assert tokens == {"slipgate-gateway": False, "slipgate-launcher": True}
    assert made.count("image: registry.example.com/slipgate:0.1.0") == 3
