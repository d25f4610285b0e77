"""Addresses of repositories and names of branches are checked against the rules before any use."""

import os
from pathlib import Path

import pytest

from snapshot.runner.failure import RepositoryRejected
from snapshot.runner.repository.address import check_branch, parse
from snapshot.runner.repository.git import Git
from snapshot.runner.repository.remote import Remote
from snapshot.runner.stop import Stop
from tests.snapshot.repositories import Bare


@pytest.mark.parametrize(
    ("url", "rule"),
    [
        ("--upload-pack=x", "begin with '-'"),
        ("-oProxyCommand=x:y", "begin with '-'"),
        ("ext::sh", "remote helpers"),
        ("fd::17/foo", "remote helpers"),
        ("http://github.com/acme/widgets", "only https, ssh"),
        ("git://github.com/acme/widgets", "only https, ssh"),
        ("/srv/git/widgets.git", "only https, ssh"),
        ("https://token@github.com/acme/widgets", "GITHUB_TOKEN"),
        ("https://u:p@github.com/acme/widgets", "GITHUB_TOKEN"),
        ("ssh://-oProxyCommand=x/acme/widgets", "begin with '-'"),
        ("ssh://-l@host/acme/widgets", "begin with '-'"),
        ("git@github.com:-x/widgets", "begin with '-'"),
        ("https://github.com:port/acme", "not a URL"),
        ("https:///acme/widgets", "names no host"),
        ("file://host/acme/widgets", "file:///path"),
        ("https://github.com/acme/\nwidgets", "no white space"),
    ],
)
def test_a_repository_address_that_breaks_a_rule_is_refused(url: str, rule: str) -> None:
    with pytest.raises(RepositoryRejected, match=rule):
        parse(url)


@pytest.mark.parametrize(
    ("url", "slug"),
    [
        ("https://github.com/acme/widgets", ("acme", "widgets")),
        ("https://github.com/acme/widgets.git", ("acme", "widgets")),
        ("git@github.com:acme/widgets.git", ("acme", "widgets")),
        ("ssh://git@github.com/acme/widgets.git", ("acme", "widgets")),
        ("file:///srv/git/acme/widgets.git", ("acme", "widgets")),
        ("https://github.com/widgets", None),
    ],
)
def test_owner_and_name_are_the_last_two_parts(url: str, slug: tuple[str, str] | None) -> None:
    assert parse(url).slug == slug


def test_an_ssh_address_can_be_opened_with_a_token_over_https() -> None:
    there = parse("git@github.com:acme/widgets.git").over_https()
    assert there.url == "https://github.com/acme/widgets.git"


@pytest.mark.parametrize(
    "name", ["-f", "a..b", "a b", "a.lock", "@{-1}", "a//b", "", "x" * 300, "HEAD"]
)
def test_a_branch_name_that_breaks_gits_rules_is_refused(name: str) -> None:
    ours = Git(stop=Stop(), environ={"PATH": os.environ["PATH"]})
    with pytest.raises(RepositoryRejected, match="BRANCH_NAME is refused"):
        check_branch(ours, name, "BRANCH_NAME")


def test_only_the_transport_of_the_task_is_allowed(remote: Bare, tmp_path: Path) -> None:
    deaf = Git(stop=Stop(), environ={"PATH": os.environ["PATH"]}, protocol="https")
    with pytest.raises(Exception, match="transport 'file' not allowed"):
        Remote(deaf, parse(remote.url), None).clone(tmp_path / "x")
