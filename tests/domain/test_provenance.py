"""Claims of a sandbox: only pull requests, branches and commits that can be the task's own."""

import msgspec
import pytest

from gateway.domain.agents.provenance import foreign_claims, is_pull_request_of
from gateway.domain.tasks.spec import Spec

GITHUB = "https://github.com/acme/widgets"
SHA = "0123456789abcdef0123456789abcdef01234567"


@pytest.mark.parametrize(
    ("repo_url", "url"),
    [
        (GITHUB, f"{GITHUB}/pull/12"),
        (GITHUB, f"{GITHUB}/pull/12/"),
        (f"{GITHUB}.git", f"{GITHUB}/pull/12"),
        (f"{GITHUB}/", f"{GITHUB}/pull/12"),
        ("https://GitHub.com:443/acme/widgets", f"{GITHUB}/pull/12"),
        (GITHUB, "https://www.github.com/Acme/Widgets/pull/12"),
        (GITHUB, "https://GITHUB.COM:443/acme/widgets/pull/12"),
        (GITHUB, "HTTPS://GitHub.com./acme/widgets/pull/12"),
        ("https://[2001:db8::1]/a/b", "https://[2001:DB8::1]:443/a/b/pulls/1"),
        ("git@github.com:acme/widgets.git", f"{GITHUB}/pull/12"),
        ("ssh://git@github.com:22/acme/widgets", f"{GITHUB}/pull/12"),
        ("https://octo.ghe.com/acme/widgets", "https://octo.ghe.com/acme/widgets/pull/3"),
        ("https://git.example:8443/a/b", "https://git.example:8443/a/b/pulls/3"),
        ("https://gitlab.com/a/b/c", "https://gitlab.com/a/b/c/-/merge_requests/3"),
        ("git@git.example:a/b", "https://git.example:8443/a/b/pulls/3"),
        ("git@gitlab.example:a/b/c.git", "https://gitlab.example/a/b/c/merge_requests/3"),
        ("https://codeberg.org/a/b", "https://codeberg.org/a/b/pulls/3"),
        ("https://bitbucket.org/a/b", "https://bitbucket.org/a/b/pull-requests/3"),
        (
            "https://bb.example/scm/PROJ/b.git",
            "https://bb.example/projects/PROJ/repos/b/pull-requests/3",
        ),
        ("ssh://git@bb.example:7999/~me/b", "https://bb.example/users/me/repos/b/pull-requests/3"),
        ("https://dev.azure.com/o/p/_git/b", "https://dev.azure.com/o/p/_git/b/pullrequest/3"),
        ("file:///srv/widgets.git", "http://127.0.0.1:8080/acme/widgets/pull/1"),
    ],
)
def test_a_pull_request_of_the_repository_is_known(repo_url: str, url: str) -> None:
    assert is_pull_request_of(url, repo_url)


@pytest.mark.parametrize(
    "url",
    [
        "https://evil.example/acme/widgets/pull/12",
        "https://github.com.evil.example/acme/widgets/pull/12",
        "https://g\u0456thub.com/acme/widgets/pull/12",
        "https://github.com@evil.example/acme/widgets/pull/12",
        "https://github.com:x@evil.example/acme/widgets/pull/12",
        "https://evil@github.com/acme/widgets/pull/12",
        "https://github.com:8443/acme/widgets/pull/12",
        "https://github.com:abc/acme/widgets/pull/12",
        "https://github.com\\@evil.example/acme/widgets/pull/12",
        "https://evil.example\\.github.com/acme/widgets/pull/12",
        "http://github.com/acme/widgets/pull/12",
        "javascript:alert(1)//github.com/acme/widgets/pull/12",
        "//github.com/acme/widgets/pull/12",
        "https://github.com/acme/other/pull/12",
        "https://github.com/other/widgets/pull/12",
        "https://github.com/acme/widgets-fork/pull/12",
        "https://github.com/acme/widgets/../evil/pull/12",
        "https://github.com/acme/widgets/%2e%2e/evil/pull/12",
        "https://github.com/acme/widgets/..%2fevil/pull/12",
        "https://github.com/acme/widgets/pull/12?next=https://evil.example",
        "https://github.com/acme/widgets/pull/12?",
        "https://github.com/acme/widgets/pull/12#x",
        "https://github.com/acme/widgets/pull/12/files",
        "https://github.com/acme/widgets/pull/0",
        "https://github.com/acme/widgets/pull/\u0661",
        "https://github.com/acme/widgets/pull/12\n",
        " https://github.com/acme/widgets/pull/12",
        "https://github.com/acme/wid\tgets/pull/12",
        "https://github.com/acme/widgets/issues/12",
        "https://github.com/acme/widgets",
        "https://[::1/acme/widgets/pull/12",
        "",
    ],
)
@pytest.mark.parametrize("repo_url", [GITHUB, "git@github.com:acme/widgets.git"])
def test_any_other_address_is_none(repo_url: str, url: str) -> None:
    assert not is_pull_request_of(url, repo_url)


@pytest.mark.parametrize(
    ("fields", "foreign"),
    [
        ({}, []),
        ({"prUrl": None, "branchName": None, "commitSha": None}, []),
        ({"branchName": "slipgate/health", "commitSha": SHA}, []),
        ({"commitSha": SHA + SHA[:24]}, []),
        ({"branchName": "main"}, ["branchName"]),
        ({"branchName": 5, "prUrl": ["x"], "commitSha": {}}, ["prUrl", "branchName", "commitSha"]),
        ({"commitSha": SHA[:7]}, ["commitSha"]),
        ({"commitSha": f"{SHA}\n"}, ["commitSha"]),
    ],
)
def test_what_is_not_the_tasks_own_is_named(fields: dict[str, object], foreign: list[str]) -> None:
    spec = msgspec.convert(
        {
            "project": "default",
            "repoUrl": GITHUB,
            "prompt": "x",
            "title": "x",
            "branchName": "slipgate/health",
        },
        Spec,
    )
    found = dict(foreign_claims(fields, spec))
    assert list(found) == foreign
    if "prUrl" in found:
        assert GITHUB in found["prUrl"]


@pytest.mark.parametrize(
    ("wanted", "claimed", "is_own"),
    [
        ("slipgate/task_01k", "slipgate-task_01k", True),
        ("slipgate/task_01k", "slipgate-task_02k", False),
        ("slipgate/health", "slipgate-health", False),
        ("slipgate/task_01k/x", "slipgate-task_01k/x", False),
    ],
)
def test_a_name_that_nobody_chose_may_have_made_way(
    wanted: str, claimed: str, is_own: bool
) -> None:
    fields = {"project": "p", "repoUrl": GITHUB, "prompt": "x", "title": "x", "branchName": wanted}
    spec = msgspec.convert(fields, Spec)
    assert list(foreign_claims({"branchName": claimed}, spec)) == (
        [] if is_own else [("branchName", f"the task's branch is {wanted}")]
    )
