"""The token is for one host over https, and only git's helper has it."""

import subprocess

import pytest

from snapshot.runner.credentials import SCRIPT, Credentials
from snapshot.runner.pull_request import git_host
from snapshot.runner.secret import Secret

ASKED = {
    "ours": ("get", "protocol=https\nhost=github.com\n\n", True),
    "another host": ("get", "protocol=https\nhost=github.com.evil.example\n\n", False),
    "a port": ("get", "protocol=https\nhost=github.com:8443\n\n", False),
    "not https": ("get", "protocol=http\nhost=github.com\n\n", False),
    "to keep it": ("store", "protocol=https\nhost=github.com\n\n", False),
}


@pytest.mark.parametrize(("verb", "question", "is_told"), ASKED.values(), ids=ASKED.keys())
def test_the_helper_answers_for_its_host_alone(verb: str, question: str, is_told: bool) -> None:
    credentials = Credentials(host="github.com", token=Secret("ghp_sandbox_token"))
    assert "ghp_sandbox_token" not in credentials.config
    assert "ghp_sandbox_token" not in repr(credentials)
    answer = subprocess.run(
        ["sh", str(SCRIPT), verb],
        input=question,
        env=credentials.environ,
        capture_output=True,
        text=True,
        check=True,
    )
    assert ("password=ghp_sandbox_token" in answer.stdout) is is_told


@pytest.mark.parametrize(
    ("api_url", "host"),
    [
        ("https://api.github.com", "github.com"),
        ("https://ghe.example/api/v3", "ghe.example"),
        ("http://127.0.0.1:8080", "127.0.0.1:8080"),
    ],
)
def test_the_token_belongs_to_the_host_behind_the_api(api_url: str, host: str) -> None:
    assert git_host(api_url) == host
