"""A repository is one however it is spelled, and a page of it is none."""

import pytest

from gateway.domain.kernel.errors import ApiError
from gateway.domain.repositories.address import is_in_repository, is_same_repository
from gateway.domain.repositories.allowed import check_repository
from gateway.domain.repositories.hosts import canonical_host

WIDGETS = "https://github.com/acme/widgets"
SPELLINGS = [
    "https://GitHub.com/acme/widgets",
    "https://github.com:443/acme/widgets",
    "https://github.com:/acme/widgets/",
    "https://github.com./acme/widgets.git",
    "https://www.github.com/Acme/Widgets",
    "HTTPS://github.com/acme/widgets.git/",
    "git@github.com:acme/widgets.git",
    "ssh://git@ssh.github.com:443/acme/widgets.git",
    "https://\uff47\uff49\uff54hub.com/acme/widgets",
]


@pytest.mark.parametrize("url", SPELLINGS)
@pytest.mark.parametrize(
    "pattern",
    [
        "https://github.com/acme/widgets",
        "https://github.com/acme/*",
        "https://GITHUB.com:443/acme/*",
        "https://www.github.com./ACME/*",
        "git@github.com:acme/*",
        "https://*hub.com/acme/*",
        "https://github.com",
        "https://*",
        "*",
    ],
)
def test_the_allow_list_knows_a_repository_by_host_and_path(url: str, pattern: str) -> None:
    check_repository(url, "$.repoUrl", allowed=(pattern,))


@pytest.mark.parametrize(
    ("url", "pattern"),
    [
        ("https://github.com.evil.example/acme/widgets", "https://github.com/acme/*"),
        ("https://github.com:8443/acme/widgets", "https://github.com/acme/*"),
        ("https://git.evil.example/x.example/acme/widgets", "https://git*.example/acme/*"),
        ("https://evil.example/github.com/acme/widgets", "https://*github.com/acme/*"),
        ("git@evil.example:github.com/acme/widgets", "https://github.com/acme/*"),
        ("https://github.com/acme-evil/widgets", "https://github.com/acme/*"),
        ("https://git.example/ACME/widgets", "https://git.example/acme/*"),
        ("https://xn--github-xyz.com/acme/widgets", "https://github.com/acme/*"),
        ("file:///srv/acme/widgets", "https://*"),
        (WIDGETS, "file:///*"),
    ],
)
def test_the_allow_list_takes_no_other_place_for_it(url: str, pattern: str) -> None:
    with pytest.raises(ApiError):
        check_repository(url, "$.repoUrl", allow_file=True, allowed=(pattern,))


@pytest.mark.parametrize(
    ("url", "right"),
    [
        (f"{WIDGETS}/tree/main", WIDGETS),
        (f"{WIDGETS}/tree/feature/x/", WIDGETS),
        (f"{WIDGETS}/blob/main/README.md", WIDGETS),
        (f"{WIDGETS}/pull/12", WIDGETS),
        (f"{WIDGETS}/pull/12/files#diff-1", WIDGETS),
        (f"{WIDGETS}/issues/3", WIDGETS),
        (f"{WIDGETS}/issues", WIDGETS),
        (f"{WIDGETS}/commit/0123abc", WIDGETS),
        (f"{WIDGETS}/actions/runs/7", WIDGETS),
        (f"{WIDGETS}/wiki", WIDGETS),
        (f"{WIDGETS}?tab=readme-ov-file", WIDGETS),
        (f"{WIDGETS}?", WIDGETS),
        (f"{WIDGETS}#readme", WIDGETS),
        (f"{WIDGETS}.git/tree/main", f"{WIDGETS}.git"),
        ("https://GitHub.com:443/acme/widgets/tree/main", WIDGETS),
        ("http://github.com/acme/widgets", WIDGETS),
        ("git://github.com/acme/widgets", WIDGETS),
        ("github.com/acme/widgets", WIDGETS),
        ("www.github.com/acme/widgets/tree/main", WIDGETS),
        ("https://api.github.com/repos/acme/widgets", WIDGETS),
        ("https://api.acme.ghe.com/repos/acme/widgets/pulls", "https://acme.ghe.com/acme/widgets"),
        ("https://acme.ghe.com/acme/widgets/pull/1", "https://acme.ghe.com/acme/widgets"),
        ("https://gitlab.com/a/b/c/-/merge_requests/4", "https://gitlab.com/a/b/c"),
        ("https://git.example/a/b/c/-/tree/main", "https://git.example/a/b/c"),
        ("https://git.example/a/b/merge_requests/4/diffs", "https://git.example/a/b"),
        ("https://ghe.example/acme/widgets/pull/12", "https://ghe.example/acme/widgets"),
        ("https://ghe.example/acme/widgets/tree/main", "https://ghe.example/acme/widgets"),
        ("https://gitea.example/a/b/src/branch/main", "https://gitea.example/a/b"),
        ("https://gitea.example/a/b/pulls/4", "https://gitea.example/a/b"),
        ("https://bitbucket.org/a/b/src/main/x.py", "https://bitbucket.org/a/b"),
        ("https://bitbucket.org/a/b/pull-requests/1", "https://bitbucket.org/a/b"),
        ("https://ghp_0123456789@github.com/acme/widgets", WIDGETS),
        ("https://user:ghp_0123456789@github.com/acme/widgets/tree/main", WIDGETS),
        ("https://user@bitbucket.org/a/b.git", "https://bitbucket.org/a/b.git"),
    ],
)
def test_an_address_from_a_browser_is_refused_with_the_right_one(url: str, right: str) -> None:
    with pytest.raises(ApiError) as caught:
        check_repository(url, "$.repoUrl")
    assert caught.value.code == "invalid_request"
    assert caught.value.hint is not None
    assert caught.value.hint.startswith(f"Give {right}.")
    assert "ghp_" not in f"{caught.value} {caught.value.hint}"
    check_repository(right, "$.repoUrl")


def test_a_token_in_the_address_is_refused_with_the_way_a_token_goes() -> None:
    with pytest.raises(ApiError) as caught:
        check_repository("https://x:ghp_0123@github.com/acme/widgets", "$.repoUrl")
    assert "GITHUB_TOKEN" in (caught.value.hint or "")


@pytest.mark.parametrize(
    "url",
    [
        "https://github.com/acme",
        "https://github.com/acme/",
        "https://github.com/orgs/acme/repositories",
        "https://xn--localhost-/acme/widgets",
        f"https://{'a' * 300}/acme/widgets",
        "https://api.github.com/user",
    ],
)
def test_an_address_without_a_repository_is_refused_with_the_form(url: str) -> None:
    with pytest.raises(ApiError) as caught:
        check_repository(url, "$.repoUrl")
    assert caught.value.hint


@pytest.mark.parametrize(
    "url",
    [
        "https://github.com/acme/tree/",
        "https://github.com/pull/12",
        "https://gitlab.com/acme/tools/issues",
        "https://git.example/acme/issues",
        "https://git.example/a/b/c/d",
        "https://dev.azure.com/acme/project/_git/widgets",
        "https://git.sr.ht/~acme/widgets",
        "https://bücher.example/acme/widgets",
        "https://git_lab.example/acme/widgets",
        "https://[2001:DB8::1]:8443/acme/widgets",
        "ssh://acme@acme.ghe.com/acme/widgets",
    ],
)
def test_an_odd_but_whole_repository_passes(url: str) -> None:
    check_repository(url, "$.repoUrl")


@pytest.mark.parametrize("repo_url", SPELLINGS)
def test_a_pull_request_lies_in_its_repository_however_that_is_spelled(repo_url: str) -> None:
    assert is_in_repository("https://github.com/acme/widgets/pull/12", repo_url)
    assert is_in_repository("https://GitHub.com:443/ACME/widgets/pull/12", repo_url)


@pytest.mark.parametrize(
    "web_url",
    [
        "https://evil.example/acme/widgets/pull/12",
        "https://github.com.evil.example/acme/widgets/pull/12",
        "https://github.com@evil.example/acme/widgets/pull/12",
        "https://github.com:8443/acme/widgets/pull/12",
        "http://github.com/acme/widgets/pull/12",
        "https://github.com/acme/widgets-evil/pull/12",
        "https://github.com/evil/widgets/pull/12",
        "https://github.com/acme/widgets/../../evil/x/pull/12",
        "https://github.com/acme/widgets/%2e%2e/%2e%2e/evil/x",
        "https://github.com/acme/widgets/..%2f..%2fevil",
        "https://github.com/acme\\widgets/pull/12",
        "https://github.com/acme/widgets",
        "//github.com/acme/widgets/pull/1",
        "https://[::1/acme/widgets/pull/1",
        "javascript:alert(1)",
        "",
    ],
)
def test_a_pull_request_elsewhere_does_not(web_url: str) -> None:
    assert not is_in_repository(web_url, WIDGETS)


def test_the_pages_of_a_repository_over_ssh_may_have_any_port() -> None:
    repository = "ssh://git@git.example:2222/acme/widgets.git"
    assert is_in_repository("https://git.example:8443/acme/widgets/pulls/1", repository)
    assert not is_in_repository("https://else.example/acme/widgets/pulls/1", repository)


@pytest.mark.parametrize("url", SPELLINGS)
def test_two_spellings_are_one_repository(url: str) -> None:
    assert is_same_repository(url, WIDGETS)
    assert not is_same_repository(url, "https://github.com/acme/gadgets")
    assert not is_same_repository(url, "file:///acme/widgets")


def test_no_pull_request_lies_in_a_local_repository() -> None:
    assert not is_in_repository("https://github.com/acme/widgets/pull/1", "file:///acme/widgets")


@pytest.mark.parametrize(
    ("host", "canonical"),
    [
        ("GitHub.COM.", "github.com"),
        ("[2001:DB8:0::1]", "[2001:db8::1]"),
        ("Bücher.example", "xn--bcher-kva.example"),
        ("XN--BCHER-KVA.example", "xn--bcher-kva.example"),
        ("github。com", "github.com"),
        ("git_lab", "git_lab"),
    ],
)
def test_a_host_has_one_spelling(host: str, canonical: str) -> None:
    assert canonical_host(host) == canonical
