"""The launcher's settings."""

from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.rsa import generate_private_key

from gateway.wire.environment import SettingsError
from launcher.settings import read_settings
from tests.github_app.api import pem

GOOD = {
    "SLIPGATE_URL": "http://127.0.0.1:8700",
    "SLIPGATE_API_KEY": "slip_launcher_x",
    "SLIPGATE_PROVIDERS": "local",
}
SHORT = generate_private_key(65537, 1024)  # noqa: S505 - it is to be refused


def problems(environ: dict[str, str]) -> list[str]:
    with pytest.raises(SettingsError) as raised:
        read_settings(environ)
    return raised.value.problems


def test_three_variables_are_enough() -> None:
    settings = read_settings(GOOD)
    assert settings.capacity == 4
    assert settings.realm is None
    assert settings.state == Path(".slipgate/launcher").resolve()


def test_all_problems_are_reported_at_once_by_name() -> None:
    found = problems(
        {"SLIPGATE_CAPACITY": "many", "SLIPGATE_REALM": "a b", "SLIPGATE_PROVIDERS": "local"}
    )
    named = {problem.split()[0] for problem in found}
    assert named == {"SLIPGATE_URL", "SLIPGATE_API_KEY", "SLIPGATE_CAPACITY", "SLIPGATE_REALM"}


def test_the_key_may_be_in_a_file_that_holds_one(tmp_path: Path) -> None:
    file = tmp_path / "key"
    given = GOOD | {"SLIPGATE_API_KEY": "", "SLIPGATE_API_KEY_FILE": str(file)}
    assert problems(given) == ["SLIPGATE_API_KEY_FILE cannot be read: No such file or directory"]
    file.write_text("\n")
    assert [problem.split()[0] for problem in problems(given)] == ["SLIPGATE_API_KEY"]
    file.write_text("slip_launcher_x\n")
    assert read_settings(given).api_key == "slip_launcher_x"


def test_a_password_in_the_gateways_address_is_refused_and_not_shown() -> None:
    (problem,) = problems(GOOD | {"SLIPGATE_URL": "http://me:hidden@127.0.0.1:8700"})
    assert problem.startswith("SLIPGATE_URL holds a user name or password")
    assert "hidden" not in problem


@pytest.mark.parametrize("listed", ["local,nomad", " "])
def test_a_provider_that_does_not_exist_names_those_that_do(listed: str) -> None:
    (problem,) = problems(GOOD | {"SLIPGATE_PROVIDERS": listed})
    assert problem.startswith("SLIPGATE_PROVIDERS")
    assert "there are: daytona-api, daytona-cli" in problem


def test_daytona_is_the_default_and_needs_its_key() -> None:
    environ = {name: value for name, value in GOOD.items() if name != "SLIPGATE_PROVIDERS"}
    (problem,) = problems(environ)
    assert problem.startswith("DAYTONA_API_KEY")
    settings = read_settings(environ | {"DAYTONA_API_KEY": "dtn_key"})
    assert settings.providers == ("daytona-api", "daytona-cli")
    assert settings.daytona
    assert settings.daytona.api_url == "https://app.daytona.io/api"


def test_the_fallback_of_the_old_application_puts_the_cli_behind_the_api() -> None:
    given = {"SLIPGATE_PROVIDERS": "daytona-api,local", "DAYTONA_API_KEY": "dtn_key"}
    settings = read_settings(GOOD | given | {"DAYTONA_USE_CLI_FALLBACK": "true"})
    assert settings.providers == ("daytona-api", "daytona-cli", "local")
    assert read_settings(GOOD | given).providers == ("daytona-api", "local")


def test_docker_needs_nothing_and_takes_limits_and_names() -> None:
    given = {"SLIPGATE_PROVIDERS": "docker", "OPENAI_API_KEY": "sk-real"}
    docker = read_settings(GOOD | given).docker
    assert (docker.images, docker.memory, docker.cpus, docker.pids) == ({}, "4g", "2", 1024)
    given |= {
        "SLIPGATE_DOCKER_IMAGES": "agent-1=ghcr.io/acme/agent:12",
        "SLIPGATE_DOCKER_CPUS": "1.5",
    }
    docker = read_settings(GOOD | given).docker
    assert (docker.images, docker.cpus) == ({"agent-1": "ghcr.io/acme/agent:12"}, "1.5")


def test_kubernetes_needs_nothing_and_takes_what_differs() -> None:
    given = {"SLIPGATE_PROVIDERS": "kubernetes", "OPENAI_API_KEY": "sk-real"}
    found = read_settings(GOOD | given).kubernetes
    assert (found.namespace, found.network_policy) == ("slipgate-sandboxes", "slipgate-sandboxes")
    assert (found.limits["memory"], found.requests["cpu"]) == ("4Gi", "500m")
    assert (found.context, found.runtime_class, found.ttl_minutes) == ("", "", 2880)
    given |= {
        "SLIPGATE_KUBERNETES_LIMITS": "memory=8Gi,nvidia.com/gpu=1",
        "SLIPGATE_KUBERNETES_TOLERATIONS": "acme.dev/pool=agents:NoSchedule,spot:NoExecute",
        "SLIPGATE_KUBERNETES_NETWORK_POLICY": "none",
        "SLIPGATE_SANDBOX_TTL_MINUTES": "0",
    }
    found = read_settings(GOOD | given).kubernetes
    assert (found.limits["memory"], found.limits["cpu"]) == ("8Gi", "2")
    assert found.limits["nvidia.com/gpu"] == "1"
    assert [(each.key, each.value, each.effect) for each in found.tolerations] == [
        ("acme.dev/pool", "agents", "NoSchedule"),
        ("spot", None, "NoExecute"),
    ]
    assert (found.network_policy, found.ttl_minutes) == ("", None)


ACTIONS = {
    "SLIPGATE_PROVIDERS": "github-actions",
    "SLIPGATE_REALM": "ours",
    "SLIPGATE_GITHUB_ACTIONS_REPO": "acme/slipgate",
    "GITHUB_TOKEN": "github_pat_general",
}


def test_github_actions_needs_a_repository_a_token_and_the_realm_of_its_launcher() -> None:
    found = problems(GOOD | {"SLIPGATE_PROVIDERS": "github-actions"})
    named = [problem.split()[0] for problem in found]
    assert named == ["SLIPGATE_GITHUB_ACTIONS_REPO", "GITHUB_TOKEN", "SLIPGATE_REALM"]
    actions = read_settings(GOOD | ACTIONS).github_actions
    assert actions
    assert (actions.workflow, actions.ref, actions.realm) == ("slipgate.yml", "main", "ours")
    own = {"SLIPGATE_GITHUB_ACTIONS_TOKEN": "github_pat_own"}
    actions = read_settings(GOOD | ACTIONS | own).github_actions
    assert actions
    assert actions.token == "github_pat_own"
    assert "github_pat" not in repr(actions)


def test_github_actions_stands_alone() -> None:
    (problem,) = problems(GOOD | ACTIONS | {"SLIPGATE_PROVIDERS": "local,github-actions"})
    assert "stands alone" in problem


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("SLIPGATE_GITHUB_ACTIONS_REPO", "https://github.com/acme/slipgate"),
        ("SLIPGATE_GITHUB_ACTIONS_REPO", "acme/.."),
        ("SLIPGATE_GITHUB_ACTIONS_WORKFLOW", "../x.yml"),
        ("SLIPGATE_GITHUB_ACTIONS_REF", "-x"),
        ("SLIPGATE_GITHUB_ACTIONS_API_URL", "api.github.com"),
    ],
)
def test_what_goes_into_a_path_at_github_is_checked(name: str, value: str) -> None:
    (problem,) = problems(GOOD | ACTIONS | {name: value})
    assert problem.startswith(name)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("SLIPGATE_DOCKER_IMAGES", "agent-1"),
        ("SLIPGATE_DOCKER_IMAGES", "agent-1=--privileged"),
        ("SLIPGATE_DOCKER_MEMORY", "much"),
        ("SLIPGATE_DOCKER_CPUS", "all"),
        ("SLIPGATE_DOCKER_PIDS", "0"),
        ("SLIPGATE_KUBERNETES_NAMESPACE", "Sandboxes"),
        ("SLIPGATE_KUBERNETES_LIMITS", "memory=much"),
        ("SLIPGATE_KUBERNETES_NODE_SELECTOR", "pool"),
        ("SLIPGATE_KUBERNETES_TOLERATIONS", "pool=agents"),
        ("SLIPGATE_KUBERNETES_PULL_SECRET", "a/b"),
        ("DAYTONA_API_URL", "app.daytona.io"),
        ("SLIPGATE_DAYTONA_SECRETS", "OPENAI_API_KEY"),
        ("DAYTONA_USE_CLI_FALLBACK", "perhaps"),
    ],
)
def test_a_wrong_value_is_named(name: str, value: str) -> None:
    environ = GOOD | {"SLIPGATE_PROVIDERS": "daytona-api", "DAYTONA_API_KEY": "k", name: value}
    (problem,) = problems(environ)
    assert problem.startswith(name)


def test_settings_of_pull_requests_go_to_every_sandbox() -> None:
    given = {"SLIPGATE_PULL_REQUESTS": "ready", "SLIPGATE_SIGNING_KEY": "-----BEGIN"}
    assert read_settings(GOOD | given).forwarded_env == given
    (problem,) = problems(GOOD | {"SLIPGATE_PULL_REQUESTS": "always"})
    assert problem == "SLIPGATE_PULL_REQUESTS must be draft or ready"


def test_real_model_keys_need_an_explicit_acceptance_of_local() -> None:
    (problem,) = problems(GOOD | {"OPENAI_API_KEY": "sk-real"})
    assert "SLIPGATE_LOCAL_UNCONFINED" in problem
    assert "OPENAI_API_KEY" in problem
    assert "sk-real" not in problem
    environ = GOOD | {"OPENAI_API_KEY": "sk-real", "SLIPGATE_LOCAL_UNCONFINED": "true"}
    assert read_settings(environ).forwarded_env == {"OPENAI_API_KEY": "sk-real"}


@pytest.mark.parametrize("url", ["http://127.0.0.1:9/v1", "http://localhost:9", "http://[::1]:9"])
def test_a_key_for_a_model_on_this_machine_is_not_a_real_one(url: str) -> None:
    given = {"OPENAI_API_KEY": "x", "OPENAI_BASE_URL": url}
    names = {"SLIPGATE_SANDBOX_ENV": "OPENAI_API_KEY,OPENAI_BASE_URL"}
    assert read_settings(GOOD | given | names).forwarded_env == given


def test_a_local_address_that_is_not_handed_on_does_not_make_a_key_harmless() -> None:
    assert problems(GOOD | {"OPENAI_API_KEY": "x", "OPENAI_BASE_URL": "http://127.0.0.1:9"})


def test_the_launchers_own_key_cannot_be_handed_to_sandboxes() -> None:
    (problem,) = problems(GOOD | {"SLIPGATE_SANDBOX_ENV": "SLIPGATE_API_KEY"})
    assert problem.startswith("SLIPGATE_SANDBOX_ENV")


def test_secrets_do_not_print() -> None:
    environ = GOOD | {"GITHUB_TOKEN": "ghp_secret"}
    printed = repr(read_settings(environ))
    assert "ghp_secret" not in printed
    assert "slip_launcher_x" not in printed


@pytest.mark.parametrize(
    ("text", "minutes"),
    [
        pytest.param("", 2_880, id="not set"),
        pytest.param("90", 90, id="set"),
        pytest.param("0", None, id="none"),
    ],
)
def test_the_lifespan_of_sandboxes_can_be_set(text: str, minutes: int | None) -> None:
    environ = GOOD | {"SLIPGATE_PROVIDERS": "daytona-api", "DAYTONA_API_KEY": "k"}
    daytona = read_settings(environ | {"SLIPGATE_SANDBOX_TTL_MINUTES": text}).daytona
    assert daytona
    assert daytona.create.ttl_minutes == minutes


@pytest.mark.parametrize("text", ["-1", "1.5", "two", "99999999999"])
def test_a_lifespan_that_is_none_is_refused_by_name(text: str) -> None:
    environ = GOOD | {"SLIPGATE_PROVIDERS": "daytona-api", "DAYTONA_API_KEY": "k"}
    with pytest.raises(SettingsError, match="SLIPGATE_SANDBOX_TTL_MINUTES must be a number"):
        read_settings(environ | {"SLIPGATE_SANDBOX_TTL_MINUTES": text})


def test_a_github_app_needs_its_id_and_one_key(tmp_path: Path) -> None:
    file = tmp_path / "app.pem"
    file.write_text(pem())
    by_file = {"SLIPGATE_GITHUB_APP_ID": "12", "SLIPGATE_GITHUB_APP_PRIVATE_KEY_FILE": str(file)}
    app = read_settings(GOOD | by_file).github_app
    assert app
    assert (app.app_id, app.api_url) == ("12", "https://api.github.com")
    assert "private" not in repr(app).lower()
    by_text = {
        "SLIPGATE_GITHUB_APP_ID": "Iv1.0123456789abcdef",
        "SLIPGATE_GITHUB_APP_PRIVATE_KEY": pem().replace("\n", "\\n"),
        "GITHUB_API_URL": "https://ghe.test/api/v3/",
    }
    app = read_settings(GOOD | by_text).github_app
    assert app
    assert app.api_url == "https://ghe.test/api/v3"
    assert read_settings(GOOD).github_app is None


@pytest.mark.parametrize(
    ("given", "names"),
    [
        ({"ID": "12"}, {"PRIVATE_KEY_FILE"}),
        ({"PRIVATE_KEY": "x"}, {"ID", "PRIVATE_KEY"}),
        ({"ID": "a", "PRIVATE_KEY_FILE": "/nowhere"}, {"ID", "PRIVATE_KEY_FILE"}),
        ({"ID": "1", "PRIVATE_KEY": "x", "PRIVATE_KEY_FILE": "y"}, {"PRIVATE_KEY_FILE"}),
        ({"ID": "1", "PRIVATE_KEY": pem(SHORT)}, {"PRIVATE_KEY"}),
    ],
    ids=["no key", "no id", "no such file", "two keys", "a short key"],
)
def test_what_is_wrong_with_a_github_app_is_named_and_no_key_is_shown(
    given: dict[str, str], names: set[str]
) -> None:
    app = {f"SLIPGATE_GITHUB_APP_{name}": value for name, value in given.items()}
    found = problems(GOOD | app | {"GITHUB_API_URL": "http://ghe.test"})
    expected = {f"SLIPGATE_GITHUB_APP_{name}" for name in names} | {"GITHUB_API_URL"}
    assert {problem.split()[0] for problem in found} == expected
    assert "BEGIN" not in str(found)


def test_settings_of_models_are_for_the_sandboxes() -> None:
    prices = '{"my-*": {"input": 1.25, "output": 10, "cacheRead": 0.13}}'
    given = {"SLIPGATE_MODEL_PRICES": prices, "SLIPGATE_MODEL_API": "responses"}
    assert read_settings(GOOD | given).forwarded_env == given
    assert read_settings(GOOD).forwarded_env == {}


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("SLIPGATE_MODEL_PRICES", "{no"),
        ("SLIPGATE_MODEL_PRICES", '{"m": {"input": 1}}'),
        ("SLIPGATE_MODEL_PRICES", '{"m": {"input": -1, "output": 1}}'),
        ("SLIPGATE_MODEL_PRICES", '{"m": {"input": 1, "output": 1, "cached": 1}}'),
        ("SLIPGATE_MODEL_API", "completions"),
    ],
)
def test_a_wrong_setting_of_models_is_named(name: str, value: str) -> None:
    (problem,) = problems(GOOD | {name: value})
    assert problem.startswith(name)
