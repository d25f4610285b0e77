"""The launcher's settings."""

from pathlib import Path

import pytest

from launcher.config import ConfigurationError, read_config

GOOD = {
    "SLIPGATE_URL": "http://127.0.0.1:8700",
    "SLIPGATE_API_KEY": "slip_launcher_x",
    "SLIPGATE_PROVIDERS": "local",
}


def problems(environ: dict[str, str]) -> list[str]:
    with pytest.raises(ConfigurationError) as raised:
        read_config(environ)
    return raised.value.problems


def test_three_variables_are_enough() -> None:
    config = read_config(GOOD)
    assert config.capacity == 4
    assert config.realm is None
    assert config.state == Path(".slipgate/launcher").resolve()


def test_all_problems_are_reported_at_once_by_name() -> None:
    found = problems(
        {"SLIPGATE_CAPACITY": "many", "SLIPGATE_REALM": "a b", "SLIPGATE_PROVIDERS": "local"}
    )
    named = {problem.split()[0] for problem in found}
    assert named == {"SLIPGATE_URL", "SLIPGATE_API_KEY", "SLIPGATE_CAPACITY", "SLIPGATE_REALM"}


@pytest.mark.parametrize("listed", [None, "daytona-api", "local,docker", " "])
def test_a_provider_that_does_not_exist_yet_names_those_that_do(listed: str | None) -> None:
    environ = {name: value for name, value in GOOD.items() if name != "SLIPGATE_PROVIDERS"}
    if listed is not None:
        environ["SLIPGATE_PROVIDERS"] = listed
    (problem,) = problems(environ)
    assert problem.startswith("SLIPGATE_PROVIDERS")
    assert "this version has: local" in problem


def test_real_model_keys_need_a_word_that_local_is_no_sandbox() -> None:
    (problem,) = problems(GOOD | {"OPENAI_API_KEY": "sk-real"})
    assert "SLIPGATE_LOCAL_UNCONFINED" in problem
    assert "OPENAI_API_KEY" in problem
    assert "sk-real" not in problem
    environ = GOOD | {"OPENAI_API_KEY": "sk-real", "SLIPGATE_LOCAL_UNCONFINED": "true"}
    assert read_config(environ).handed == {"OPENAI_API_KEY": "sk-real"}


@pytest.mark.parametrize("url", ["http://127.0.0.1:9/v1", "http://localhost:9", "http://[::1]:9"])
def test_a_key_for_a_model_on_this_machine_is_not_a_real_one(url: str) -> None:
    given = {"OPENAI_API_KEY": "x", "OPENAI_BASE_URL": url}
    handed = {"SLIPGATE_SANDBOX_ENV": "OPENAI_API_KEY,OPENAI_BASE_URL"}
    assert read_config(GOOD | given | handed).handed == given


def test_a_local_address_that_is_not_handed_on_does_not_make_a_key_harmless() -> None:
    assert problems(GOOD | {"OPENAI_API_KEY": "x", "OPENAI_BASE_URL": "http://127.0.0.1:9"})


def test_the_launchers_own_key_cannot_be_handed_to_sandboxes() -> None:
    (problem,) = problems(GOOD | {"SLIPGATE_SANDBOX_ENV": "SLIPGATE_API_KEY"})
    assert problem.startswith("SLIPGATE_SANDBOX_ENV")


def test_secrets_do_not_print() -> None:
    environ = GOOD | {"GITHUB_TOKEN": "ghp_secret"}
    printed = repr(read_config(environ))
    assert "ghp_secret" not in printed
    assert "slip_launcher_x" not in printed
