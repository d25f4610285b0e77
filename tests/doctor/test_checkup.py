"""Each problem is named, with advice."""

import shutil
import socket
from collections.abc import Callable
from pathlib import Path

import pytest

from gateway.wire.launcher import GatewayView
from launcher.doctor.gateway import check_public_url
from launcher.doctor.report import Check
from launcher.snapshots.scripts import FOLDER, compute_digest
from snapshot.runner.agent.landlock import open_sockets
from tests.daytona.api import ALL_SCOPES, Api
from tests.daytona.cli import install
from tests.daytona.faults import Fault
from tests.daytona.organisation import ORGANISATION, Snapshot
from tests.docker.cli import install as install_docker
from tests.doctor.installation import PUBLIC_URL, SNAPSHOT, Installation
from tests.kubernetes.cluster import REALM
from tests.kubernetes.cluster import opened as opened_cluster

CHAIN = {"SLIPGATE_PROVIDERS": "daytona-api,daytona-cli"}
"""The stand-in CLI takes a second per call."""
ORDER = [
    *("gateway", "key", "configuration"),
    *("CLI", "CLI flags", "CLI login"),
    *("Daytona API", "key's scopes"),
    *("snapshot", "entrypoint", "scripts", "image", "region"),
    *("organisation", "public URL", "argument list", "stored in clear"),
    *("GitHub token", "model key"),
]


def _text(check: Check) -> str:
    assert check.advice, check
    return f"{check.message} {check.advice}"


async def test_a_healthy_launcher_passes_all_checks_in_order(
    installation: Installation,
) -> None:
    checks = await installation.checks(**CHAIN)
    assert list(checks) == ORDER
    assert {name for name, (one,) in checks.items() if one.outcome == "failed"} == {PUBLIC_URL}
    ill = {name for name, (one,) in checks.items() if one.outcome == "warning"}
    assert ill == {"argument list", "stored in clear"}
    assert all(one.advice for (one,) in checks.values() if one.outcome != "ok")
    (realm,) = checks["organisation"]
    assert ORGANISATION in realm.message


async def test_nothing_is_made_changed_or_deleted(api: Api, installation: Installation) -> None:
    await installation.checks(**CHAIN)
    assert {call.split()[0] for call in api.faults.calls} == {"GET"}


@pytest.mark.parametrize(
    ("name", "other", "words"),
    [
        pytest.param(
            "gateway", {"SLIPGATE_URL": "http://127.0.0.1:9"}, "slipgate up", id="gateway away"
        ),
        pytest.param(
            "key", {"SLIPGATE_API_KEY": "slip_launcher_no"}, "keys create --scope", id="no key"
        ),
        pytest.param("Daytona API", {"DAYTONA_API_KEY": "nope"}, "DAYTONA_API_KEY", id="API key"),
        pytest.param("CLI login", {"DAYTONA_API_KEY": "nope"}, "Unauthorized", id="CLI key"),
        pytest.param("snapshot", {"DAYTONA_SNAPSHOT_NAME": "x-9"}, "snapshot build x-9", id="none"),
        pytest.param("GitHub token", {"GITHUB_TOKEN": "wrong-token"}, "refuses", id="GitHub"),
        pytest.param("model key", {"OPENAI_API_KEY": "wrong-key"}, "refuses OPENAI", id="model"),
    ],
)
async def test_each_problem_is_reported_with_advice(
    installation: Installation, name: str, other: dict[str, str], words: str
) -> None:
    check = (await installation.checks(**CHAIN, **other))[name][0]
    assert check.outcome == "failed"
    assert words in _text(check).replace("Invalid credentials", "Unauthorized")


async def test_a_key_of_another_scope_is_distinguished_from_an_unknown_key(
    installation: Installation,
) -> None:
    check = await installation.check("key", SLIPGATE_API_KEY=installation.wrong_scope)
    assert (check.outcome, "another scope" in check.message) == ("failed", True)


async def test_all_problems_of_the_settings_are_reported_and_the_rest_is_checked(
    installation: Installation,
) -> None:
    checks = await installation.checks("SLIPGATE_URL", "SLIPGATE_API_KEY", SLIPGATE_CAPACITY="many")
    text = " ".join(check.message for check in checks["configuration"])
    assert len(checks["configuration"]) == 3
    assert all(word in text for word in ("SLIPGATE_URL", "SLIPGATE_API_KEY", "SLIPGATE_CAPACITY"))
    assert checks["Daytona API"][0].outcome == "ok"
    assert "gateway" not in checks


@pytest.mark.parametrize(
    ("providers", "outcome"),
    [
        pytest.param("daytona-api,daytona-cli", "warning", id="second of the chain"),
        pytest.param("daytona-cli", "failed", id="all there is"),
    ],
)
async def test_a_cli_that_is_not_there_fails_where_there_is_no_other_way(
    installation: Installation, providers: str, outcome: str
) -> None:
    check = await installation.check("CLI", PATH="/nowhere", SLIPGATE_PROVIDERS=providers)
    assert check.outcome == outcome
    assert "SLIPGATE_PROVIDERS" in _text(check)


@pytest.mark.parametrize(
    ("release", "name", "outcome", "words"),
    [
        pytest.param("0.101.0", "CLI", "failed", "v0.135 or later", id="no names"),
        pytest.param("0.116.0", "CLI", "failed", "v0.135 or later", id="no variables"),
        pytest.param("0.134.0", "CLI", "failed", "v0.135 or later", id="no exec"),
        pytest.param("0.135.0", "CLI flags", "warning", "--ttl", id="the first with exec"),
        pytest.param("0.190.0", "CLI flags", "warning", "--ttl", id="no backstop"),
        pytest.param("0.205.1", "CLI", "ok", "0.205.1", id="recent"),
    ],
)
async def test_releases_of_the_cli_are_recognised_by_their_help(
    installation: Installation, release: str, name: str, outcome: str, words: str
) -> None:
    install(installation.bin, release)
    check = await installation.check(name, **CHAIN)
    assert check.outcome == outcome
    assert words in f"{check.message} {check.advice}"


@pytest.mark.parametrize(
    ("scopes", "outcome", "words"),
    [
        pytest.param(ALL_SCOPES - {"delete:sandboxes"}, "failed", "delete:sandboxes", id="one"),
        pytest.param(ALL_SCOPES - {"write:snapshots"}, "ok", "builds no snapshot", id="no builds"),
    ],
)
async def test_scopes_are_read_from_the_key_itself(
    api: Api, installation: Installation, scopes: frozenset[str], outcome: str, words: str
) -> None:
    api.keys["dtn_key"] = scopes
    check = await installation.check("key's scopes")
    assert (check.outcome, words in check.message) == (outcome, True)


async def test_an_api_that_does_not_describe_keys_is_no_fault(
    api: Api, installation: Installation
) -> None:
    api.tells_scopes = False
    checks = await installation.checks()
    assert checks["Daytona API"][0].outcome == "ok"
    assert checks["key's scopes"][0].outcome == "warning"
    api.tells_scopes = True
    body = {"name": "launcher", "permissions": None}
    api.faults.plan("GET /api-keys/current", Fault(kind="status", status=200, body=body))
    assert (await installation.checks())["key's scopes"][0].outcome == "warning"
    refused = await installation.check("Daytona API", DAYTONA_API_KEY="nope")
    assert refused.outcome == "failed"


@pytest.mark.parametrize(
    ("change", "name", "text"),
    [
        pytest.param({"state": "inactive"}, "snapshot", "failed: --activate", id="rests"),
        pytest.param({"state": "pulling"}, "snapshot", "failed: Wait", id="on its way"),
        pytest.param(
            {"state": "error", "error_reason": "no disk"}, "snapshot", "failed: no disk", id="bad"
        ),
        pytest.param({"entrypoint": None}, "entrypoint", "failed: no agent", id="no entrypoint"),
        pytest.param(
            {"entrypoint": ("sleep", "infinity")}, "entrypoint", "failed: no agent", id="idle"
        ),
        pytest.param(
            {"entrypoint": ("/bin/bash /app/execution.sh",)},
            "entrypoint",
            "failed: JSON form",
            id="string form",
        ),
        pytest.param(
            {"entrypoint": ("/run.sh",)}, "entrypoint", "warning: of your own", id="foreign"
        ),
        pytest.param(
            {"entrypoint": ("/bin/bash", "/app/execution.sh", f"scripts={'0' * 64}")},
            "scripts",
            "failed: snapshot build slipgate-agent-2",
            id="other scripts",
        ),
        pytest.param(
            {"entrypoint": ("/bin/bash", "/app/execution.sh")},
            "scripts",
            "warning: check slipgate-agent-1 --live",
            id="scripts unknown",
        ),
        pytest.param({"regions": ("eu",)}, "region", "failed: not in us, but in eu", id="region"),
    ],
)
async def test_a_snapshot_is_checked_without_a_sandbox(
    api: Api, installation: Installation, change: dict[str, object], name: str, text: str
) -> None:
    snapshot = api.organisation.snapshots[SNAPSHOT]
    for field, value in change.items():
        setattr(snapshot, field, value)
    check = await installation.check(name, DAYTONA_TARGET="us")
    outcome, _, words = text.partition(": ")
    assert check.outcome == outcome
    assert words in _text(check)
    assert api.organisation.sandboxes == {}


async def test_an_unknown_organisation_is_reported(api: Api, installation: Installation) -> None:
    api.organisation.add_snapshot(Snapshot(name=SNAPSHOT, general=True))
    check = await installation.check("organisation")
    assert (check.outcome, "SLIPGATE_REALM" in check.message) == ("failed", True)
    assert (await installation.check("organisation", SLIPGATE_REALM="mine")).outcome == "ok"


async def test_exposed_secrets_are_named_and_never_shown(installation: Installation) -> None:
    checks = await installation.checks(**CHAIN)
    for name in ("argument list", "stored in clear"):
        assert "GITHUB_TOKEN" in checks[name][0].message
    text = " ".join(f"{one.message} {one.advice}" for (one,) in checks.values())
    assert installation.environ["GITHUB_TOKEN"] not in text
    swapped = await installation.check(
        "stored in clear", SLIPGATE_DAYTONA_SECRETS="OPENAI_API_KEY=prod"
    )
    assert "OPENAI_API_KEY" not in swapped.message
    assert "argument list" not in await installation.checks()


async def test_unreadable_authorities_are_reported(installation: Installation) -> None:
    check = await installation.check("certificates", SSL_CERT_FILE="/nonexistent")
    assert (check.outcome, "SSL_CERT_FILE" in check.message) == ("warning", True)


async def test_missing_keys_for_models_and_github_are_reported(installation: Installation) -> None:
    checks = await installation.checks("OPENAI_API_KEY", "GITHUB_TOKEN")
    assert [check.outcome for check in checks["model key"]] == ["warning"]
    assert checks["GitHub token"][0].outcome == "warning"


async def test_credentials_of_a_workflow_are_not_checked_here(installation: Installation) -> None:
    given = {
        "SLIPGATE_PROVIDERS": "github-actions",
        "SLIPGATE_REALM": "ours",
        "SLIPGATE_GITHUB_ACTIONS_REPO": "acme/slipgate",
    }
    checks = await installation.checks("OPENAI_API_KEY", "DAYTONA_API_KEY", **given)
    assert "github-actions" in checks["configuration"][0].message
    assert checks.keys().isdisjoint({"model key", "Daytona API", "argument list"})


async def test_an_unreachable_api_is_distinguished_from_a_refusal(
    api: Api, installation: Installation
) -> None:
    api.faults.plan("GET /api-keys/current", Fault(kind="html"))
    check = await installation.check("Daytona API")
    assert (check.outcome, "proxy" in check.message) == ("failed", True)


@pytest.mark.parametrize(
    ("url", "outcome"),
    [
        pytest.param(lambda own: None, "warning", id="none: spools are read"),
        pytest.param(lambda own: own, "failed", id="this machine's"),
        pytest.param(lambda own: "http://slipgate.invalid", "failed", id="no such name"),
    ],
)
async def test_the_public_url_has_to_be_one_that_sandboxes_reach(
    installation: Installation, url: Callable[[str], str | None], outcome: str
) -> None:
    own = installation.environ["SLIPGATE_URL"]
    view = GatewayView(instance_id="i", version="1", public_url=url(own), snapshot="s")
    check = await check_public_url(view, ["daytona-api"])
    assert check.outcome == outcome
    assert "SLIPGATE_PUBLIC_URL" in _text(check)


async def test_sandboxes_of_this_host_reach_its_own_address(installation: Installation) -> None:
    own = installation.environ["SLIPGATE_URL"]
    view = GatewayView(instance_id="i", version="1", public_url=own, snapshot="s")
    assert (await check_public_url(view, ["local"])).outcome == "ok"
    github_actions = GatewayView(
        instance_id="i", version="1", public_url=f"{own}/elsewhere", snapshot="s"
    )
    assert "HTTP 404" in (await check_public_url(github_actions, ["local"])).message


async def test_a_cluster_is_asked_for_each_permission_and_for_what_confines_sandboxes(
    tmp_path: Path, installation: Installation
) -> None:
    async with opened_cluster(tmp_path / "cluster") as cluster:
        here = {"SLIPGATE_PROVIDERS": "kubernetes", "KUBECONFIG": cluster.kubeconfig()}
        checks = await installation.checks(**here)
        found = {name: one for name, (one, *_) in checks.items()}
        assert REALM in found["Kubernetes"].message
        names = ("Kubernetes", "permissions", "NetworkPolicy", "quota")
        assert {found[name].outcome for name in names} == {"ok"}
        assert "pod-security.kubernetes.io/enforce" in _text(found["namespace"])
        cluster.denied = {("create", "jobs"), ("get", "pods/exec")}
        missing = await installation.check("permissions", **here)
        assert "create jobs, get pods/exec" in _text(missing)
        cluster.store.drop("networkpolicies", "slipgate-sandboxes")
        missing = await installation.check("NetworkPolicy", **here)
        assert (missing.outcome, "sandboxes.yaml" in _text(missing)) == ("failed", True)
        made = {call.split()[0] for call in cluster.faults.calls} - {"GET"}
        assert made == {"POST"}
        assert cluster.jobs == []
    away = await installation.check("Kubernetes", **here)
    assert (away.outcome, "kubectl" in _text(away)) == ("failed", True)


async def test_docker_is_asked_for_its_daemon_and_for_the_scripts_in_its_image(
    installation: Installation, tmp_path: Path
) -> None:
    # Alone: this host may have a docker of its own.
    by_docker = {"SLIPGATE_PROVIDERS": "docker", "PATH": str(installation.bin)}
    missing = await installation.check("docker", **by_docker)
    assert (missing.outcome, "Install docker's CLI" in missing.message) == ("failed", True)
    daemon = install_docker(installation.bin)[1]
    none = await installation.check("image", **by_docker)
    assert (none.outcome, f"slipgate snapshot image {SNAPSHOT}" in _text(none)) == ("failed", True)
    content = tmp_path / "content"
    shutil.copytree(FOLDER, content, ignore=shutil.ignore_patterns("__pycache__"))
    daemon.add_image(SNAPSHOT, ["/bin/bash", "/app/execution.sh"], {}, content)
    assert (await installation.check("image", **by_docker)).outcome == "ok"
    confined = await installation.check("confinement", **by_docker)
    # The stand-in's containers are processes of this host.
    well = f"the commands of agents are confined (containers of {SNAPSHOT})"
    assert confined.message == (open_sockets() or well)
    (content / "runner" / "agent" / "landlock.py").write_text(
        "print('Its kernel has no Landlock.')"
    )
    digest_script = content / "runner" / "digest.py"
    held = digest_script.read_text()
    digest_script.write_text(f"print({await compute_digest()!r})")
    assert "no Landlock" in (await installation.check("confinement", **by_docker)).message
    digest_script.write_text(held)
    (content / "runner" / "budget.py").write_text("")
    assert "other scripts" in (await installation.check("image", **by_docker)).message


async def test_the_kernel_and_the_sockets_of_this_host_are_checked_for_local_agents(
    installation: Installation, tmp_path: Path
) -> None:
    by_local = {"SLIPGATE_PROVIDERS": "local", "SLIPGATE_LOCAL_UNCONFINED": "true"}
    found = await installation.check("confinement", **by_local)
    of_this_host = open_sockets() or "the commands of agents are confined (this host)"
    assert found.message == of_this_host
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(str(tmp_path / "docker.sock"))
        server.listen()
        found = await installation.check("confinement", **by_local)
    assert (found.outcome, "docker.sock" in found.message) == ("warning", True)
