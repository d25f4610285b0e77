"""Variables that reach a sandbox."""

import pytest

from launcher.sandbox_env import sandbox_environment

OURS = {
    "OPENAI_API_KEY": "sk-1",
    "OPENAI_BASE_URL": "http://127.0.0.1:9",
    "ANTHROPIC_API_KEY": "sk-2",
    "GITHUB_TOKEN": "ghp",
    "NPM_TOKEN": "npm",
}


def test_only_variables_of_the_chosen_model_service_are_forwarded() -> None:
    given = sandbox_environment(OURS, {"MODEL_PROVIDER": "anthropic"})
    assert set(given) == {"MODEL_PROVIDER", "ANTHROPIC_API_KEY", "GITHUB_TOKEN", "NPM_TOKEN"}


def test_without_a_chosen_service_no_model_key_is_forwarded() -> None:
    assert set(sandbox_environment(OURS, {})) == {"GITHUB_TOKEN", "NPM_TOKEN"}


def test_variables_of_the_job_win() -> None:
    job = {"MODEL_PROVIDER": "openai", "OPENAI_API_KEY": "theirs"}
    assert sandbox_environment(OURS, job)["OPENAI_API_KEY"] == "theirs"


def test_our_credentials_are_not_sent_to_an_address_that_came_with_the_job() -> None:
    job = {
        "MODEL_PROVIDER": "openai",
        "OPENAI_BASE_URL": "https://elsewhere.example",
        "GITHUB_API_URL": "https://elsewhere.example",
    }
    given = sandbox_environment(OURS, job)
    assert "OPENAI_API_KEY" not in given
    assert "GITHUB_TOKEN" not in given


@pytest.mark.parametrize(
    ("address", "withheld"),
    [
        ("OPENAI_API_BASE", "OPENAI_API_KEY"),
        ("ANTHROPIC_BASE_URL", "ANTHROPIC_AUTH_TOKEN"),
        ("GH_HOST", "GITHUB_TOKEN"),
        ("GITHUB_SERVER_URL", "GITHUB_TOKEN"),
        ("ANTHROPIC_BEDROCK_BASE_URL", "AWS_SESSION_TOKEN"),
        ("AZURE_OPENAI_ENDPOINT", "AZURE_OPENAI_AD_TOKEN"),
    ],
)
def test_no_credential_of_a_service_goes_with_an_address_of_the_job(
    address: str, withheld: str
) -> None:
    service = withheld.partition("_")[0].lower()
    job = {"MODEL_PROVIDER": service, address: "https://elsewhere.example"}
    given = sandbox_environment({withheld: "ours", "NPM_TOKEN": "npm"}, job)
    assert (withheld in given, given["NPM_TOKEN"]) == (False, "npm")
