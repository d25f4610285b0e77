"""The token is for one host over https, and only git's helper has it."""

import subprocess

import pytest

from snapshot.runner.github_token import GitHubToken
from snapshot.runner.network.hosts import git_host
from snapshot.runner.repository.address import parse
from snapshot.runner.repository.credentials import SCRIPT, Credentials

ASKED = {
    "ours": ("get", "protocol=https\nhost=github.com\n\n", True),
    "another host": ("get", "protocol=https\nhost=github.com.evil.example\n\n", False),
    "a port": ("get", "protocol=https\nhost=github.com:8443\n\n", False),
    "not https": ("get", "protocol=http\nhost=github.com\n\n", False),
    "our spelling": ("get", "protocol=https\nhost=GitHub.com.\n\n", True),
    "our port": ("get", "protocol=https\nhost=github.com:443\n\n", True),
    "to keep it": ("store", "protocol=https\nhost=github.com\n\n", False),
}


@pytest.mark.parametrize(("verb", "question", "is_answered"), ASKED.values(), ids=ASKED.keys())
def test_the_helper_answers_for_its_host_alone(verb: str, question: str, is_answered: bool) -> None:
    credentials = Credentials(host="github.com", token=GitHubToken("ghp_sandbox_token"))
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
    assert ("password=ghp_sandbox_token" in answer.stdout) is is_answered


@pytest.mark.parametrize(
    ("api_url", "host"),
    [
        ("https://api.github.com", "github.com"),
        ("https://API.github.com:443/", "github.com"),
        ("https://api.acme.ghe.com", "acme.ghe.com"),
        ("https://api.ghe.example/v3", "api.ghe.example"),
        ("https://GHE.example.:8443/api/v3", "ghe.example:8443"),
        ("https://ghe.example/api/v3", "ghe.example"),
        ("http://127.0.0.1:8080", "127.0.0.1:8080"),
    ],
)
def test_the_token_belongs_to_the_host_behind_the_api(api_url: str, host: str) -> None:
    assert git_host(api_url) == host


@pytest.mark.parametrize(
    "url", ["git@github.com:acme/lib.git", "ssh://git@github.com/acme/lib.git"]
)
def test_a_submodule_over_ssh_on_the_same_host_goes_where_the_token_is(url: str) -> None:
    credentials = Credentials(host="github.com", token=GitHubToken("ghp_sandbox_token"))
    options = [option for pair in credentials.options for option in ("-c", pair)]
    asked = ["git", *options, "ls-remote", "--get-url", url]
    answer = subprocess.run(asked, capture_output=True, text=True, check=True)
    assert answer.stdout.strip() == "https://github.com/acme/lib.git"


@pytest.mark.parametrize(
    ("url", "spoken"),
    [
        ("https://GitHub.com/acme/widgets", "https://github.com/acme/widgets"),
        ("https://github.com:443/acme/widgets", "https://github.com/acme/widgets"),
        ("https://www.github.com/acme/widgets", "https://github.com/acme/widgets"),
        ("HTTPS://github.com./acme/widgets/", "https://github.com/acme/widgets/"),
        ("https://b\u00fccher.example/a/b", "https://xn--bcher-kva.example/a/b"),
        ("https://git.example:8443/a/b", "https://git.example:8443/a/b"),
    ],
)
def test_git_is_told_the_one_spelling_of_a_host(url: str, spoken: str) -> None:
    assert parse(url).url == spoken
