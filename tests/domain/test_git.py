"""Names of branches and repositories, held against the real git."""

import subprocess
from contextlib import suppress

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gateway.domain.kernel.errors import ApiError
from gateway.domain.repositories.allowed import check_repository
from gateway.domain.repositories.branch_names import MAX_BYTES, broken_rule, check_branch

PIECES = st.sampled_from(["a", "/", ".", "..", ".lock", "@", "@{", "-", "HEAD", "refs/heads/", "ü"])
PIECES |= st.sampled_from([*"~^:?*[]{\\ \t\x7f"])
NAMES = st.lists(PIECES, max_size=6).map("".join) | st.text(
    st.characters(blacklist_characters="\0", blacklist_categories=["Cs"]), max_size=12
)


def git_takes(name: str) -> bool:
    """True if git accepts the name unchanged: `@{-1}` is accepted, but means another."""
    if name == "@":
        return False  # git takes it, and then reads it as HEAD: ours is the stricter rule
    result = subprocess.run(
        ["git", "check-ref-format", "--branch", name], capture_output=True, check=False
    )
    return result.returncode == 0 and result.stdout == name.encode() + b"\n"


@settings(max_examples=150, deadline=None)
@given(NAMES)
def test_a_branch_name_is_taken_exactly_when_git_takes_it(name: str) -> None:
    assert (broken_rule(name) is None) == git_takes(name)


@pytest.mark.parametrize("name", ["--upload-pack=x", "-", "a\0b", "a\ud800", "a" * 245, "HEAD"])
def test_a_branch_name_that_could_do_harm_is_refused(name: str) -> None:
    with pytest.raises(ApiError) as caught:
        check_branch(name, "$.branchName")
    assert caught.value.code == "invalid_request"
    assert caught.value.errors[0].path == "$.branchName"


def test_the_longest_branch_name_is_taken() -> None:
    check_branch("a" * MAX_BYTES, "$.branchName")


@pytest.mark.parametrize(
    "url",
    [
        "https://github.com/acme/widgets",
        "https://github.com/acme/widgets.git",
        "https://git.example:8443/a/b/c",
        "ssh://git@github.com/acme/widgets.git",
        "ssh://git.example:2222/acme/widgets",
        "git@github.com:acme/widgets.git",
    ],
)
def test_an_ordinary_repository_passes(url: str) -> None:
    check_repository(url, "$.repoUrl")


@pytest.mark.parametrize(
    "url",
    [
        "",
        "widgets",
        "/etc/passwd",
        "../widgets",
        "file:///srv/widgets",
        "http://github.com/acme/widgets",
        "git://github.com/acme/widgets",
        "ext::sh -c touch% /tmp/x",
        "ext::https://x/y",
        "--upload-pack=touch /tmp/x",
        "-u@host:path",
        "ssh://-oProxyCommand=x/y",
        "ssh://git@-oProxyCommand=x/y",
        "git@-oProxyCommand=x:path",
        "git@host:-path",
        "git:secret@host:path",
        "https://token@github.com/acme/widgets",
        "https://user:password@github.com/acme/widgets",
        "ssh://git:password@github.com/acme/widgets",
        "https://github.com/acme/widgets?token=x",
        "https://github.com/acme/widgets?",
        "https://github.com/acme/widgets#main",
        "https://github.com/acme/../other",
        "https://github.com/acme/%2e%2e/other",
        "https://github.com/acme%2f..%2fother",
        "https://github.com/acme/wid\ngets",
        "https://github.com/acme/wid\0gets",
        "https://github.com/acme/\u202ewidgets",
        "https://github.com",
        "https:///acme/widgets",
        "https://[::1/acme",
        "https://host:port/acme",
        "HTTPS://x@github.com/acme/widgets",
    ],
)
def test_any_other_form_of_repository_is_refused(url: str) -> None:
    with pytest.raises(ApiError) as caught:
        check_repository(url, "$.repoUrl")
    assert caught.value.code == "invalid_request"
    assert caught.value.hint


def test_a_local_repository_passes_only_where_it_is_allowed() -> None:
    check_repository("file:///srv/widgets.git", "$.repoUrl", allow_file=True)
    with pytest.raises(ApiError):
        check_repository("file://host/srv/widgets.git", "$.repoUrl", allow_file=True)


@given(st.text(max_size=40))
def test_no_text_makes_the_check_of_a_repository_fail_otherwise(text: str) -> None:
    for url in (text, f"https://{text}", f"ssh://{text}", f"git@{text}", f"file://{text}"):
        with suppress(ApiError):
            check_repository(url, "$.repoUrl", allow_file=True, allowed=("https://*",))


@pytest.mark.parametrize(
    "url",
    ["https://github.com/acme/widgets", "https://GitHub.com/acme/widgets.git"],
)
def test_the_allow_list_knows_a_repository_in_all_its_spellings(url: str) -> None:
    check_repository(url, "$.repoUrl", allowed=("https://github.com/acme/widgets",))
    check_repository(url, "$.repoUrl", allowed=("https://github.com/acme/*",))


@pytest.mark.parametrize(
    "url",
    ["https://github.com/acme2/widgets", "https://evil.example/github.com/acme/widgets"],
)
def test_a_repository_outside_the_allow_list_is_not_allowed(url: str) -> None:
    with pytest.raises(ApiError) as caught:
        check_repository(url, "$.repoUrl", allowed=("https://github.com/acme/*",))
    assert caught.value.code == "repo_not_allowed"
