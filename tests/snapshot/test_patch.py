"""The patch is made by a git the agent never touched, and some changes are refused."""

import os
import subprocess
from pathlib import Path

import pytest

from snapshot.runner import clean_checkout, patch
from snapshot.runner.git import Git
from snapshot.runner.remote import Clone, Remote
from snapshot.runner.repository import Refused, check_branch, parse
from snapshot.runner.stop import Stop
from tests.snapshot.repositories import IDENTITY, Bare, git


@pytest.fixture
def ours() -> Git:
    """Our git."""
    return Git(stop=Stop(), environ={"PATH": os.environ["PATH"]}, protocol="file")


@pytest.fixture
def agents(ours: Git, remote: Bare, tmp_path: Path) -> Clone:
    """The agent's checkout."""
    return Remote(ours, parse(remote.url), None).clone(tmp_path / "agent", with_files=True)


@pytest.fixture
def clean(ours: Git, remote: Bare, tmp_path: Path) -> Clone:
    """A clone nobody touched."""
    return Remote(ours, parse(remote.url), None).clone(tmp_path / "clean", with_files=False)


def agent_does(script: str, agents: Clone) -> None:
    """What an agent would."""
    environ = {"PATH": os.environ["PATH"], **IDENTITY}
    subprocess.run(["bash", "-c", script], cwd=agents.directory, env=environ, check=True)


@pytest.mark.parametrize(
    ("script", "rule"),
    [
        ("ln -s /etc/passwd link", "a symbolic link out of the repository"),
        ("mkdir a; ln -s ../../x a/link", "a symbolic link out of the repository"),
        ("ln -s .git/config link", "a symbolic link into a .git directory"),
        ("git init -q inner; touch inner/x", "a repository inside the repository"),
        ("git clone -q . inner", "a repository inside the repository"),
        ('d=$PWD; cd ..; rm -rf "$d"; ln -s / "$d"', "replaced its checkout by something else"),
        ('rm -rf "$PWD"', "removed its whole checkout"),
        ("rm -rf -- * .git", "deletes every file"),
        ("truncate -s 3G big.bin", "hold more than"),
        ("head -c 30000000 /dev/urandom > b", "is larger than"),
    ],
)
def test_a_change_that_breaks_a_rule_is_refused_and_the_rule_named(
    ours: Git, agents: Clone, clean: Clone, script: str, rule: str
) -> None:
    agent_does(script, agents)
    with pytest.raises(Refused, match=rule):
        patch.make(ours, clean, agents.directory, agents.base_sha)


def test_a_submodule_cannot_be_moved_and_nothing_of_it_runs(
    ours: Git, remote: Bare, tmp_path: Path
) -> None:
    base = remote.branches()["main"]
    git("update-ref", "refs/heads/main", _with_submodule(remote, base), at=remote.path)
    there = Remote(ours, parse(remote.url), None)
    agents = there.clone(tmp_path / "agent", with_files=True)
    clean = there.clone(tmp_path / "clean", with_files=False)
    assert patch.make(ours, clean, agents.directory, agents.base_sha) is None
    agent_does(
        "git init -q sub; git -C sub commit -q --allow-empty -m x;"
        f" git -C sub config core.fsmonitor 'touch {tmp_path}/ran; false'",
        agents,
    )
    with pytest.raises(Refused, match="'sub' changes a submodule"):
        patch.make(ours, clean, agents.directory, agents.base_sha)
    assert not (tmp_path / "ran").exists()


def _with_submodule(remote: Bare, commit: str) -> str:
    listed = git("ls-tree", commit, at=remote.path)
    entries = f"{listed}\n160000 commit {commit}\tsub\n"
    made = subprocess.run(
        ["git", "mktree", "--missing"],
        cwd=remote.path,
        input=entries,
        capture_output=True,
        text=True,
        check=True,
    )
    return git("commit-tree", made.stdout.strip(), "-p", commit, "-m", "sub", at=remote.path)


@pytest.mark.parametrize(
    "script",
    [
        "printf 'caf\\351\\n' > latin.txt; printf 'a\\r\\nb\\r\\n' > crlf.txt",
        "head -c 5000 /dev/urandom > b; chmod +x widgets.py; ln -s widgets.py link",
        "rm README.md; mkdir README.md; echo x > README.md/inner",
        "touch -- '-rf' 'a b' $'new\\nline' 'ümlaut' $'latin-\\351' '\"quoted\"'",
        "printf '*.txt text eol=crlf\\n' > .gitattributes; printf 'x\\r\\ny\\r\\n' > x.txt",
        "printf 'no newline' > widgets.py; : > empty",
        "mv widgets.py renamed.py; cp renamed.py copied.py",
    ],
    ids=["encodings", "modes", "file to directory", "names", "line ends", "ends", "renames"],
)
def test_the_patch_gives_the_very_tree_of_the_agent(
    ours: Git, agents: Clone, clean: Clone, script: str
) -> None:
    agent_does(script, agents)
    made = patch.make(ours, clean, agents.directory, agents.base_sha)
    assert made is not None
    made.text.encode("utf-8")
    clean_checkout.apply(ours, clean, made)
    clean_checkout.fill(ours, clean)
    assert git("status", "--porcelain=v1", "-uall", at=clean.directory) != ""
    assert git("diff", "--stat", at=clean.directory) == "", "files and index agree"


def test_nothing_changed_is_no_patch(ours: Git, agents: Clone, clean: Clone) -> None:
    agent_does("touch widgets.py; mkdir empty; git commit -q --allow-empty -m x", agents)
    assert patch.make(ours, clean, agents.directory, agents.base_sha) is None


def test_what_the_agent_committed_itself_counts_too(ours: Git, agents: Clone, clean: Clone) -> None:
    agent_does("echo '# x' >> widgets.py; git commit -qam mine; git checkout -q -b other", agents)
    made = patch.make(ours, clean, agents.directory, agents.base_sha)
    assert made is not None
    assert made.paths == ("widgets.py",)


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
    with pytest.raises(Refused, match=rule):
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
def test_a_branch_name_that_breaks_gits_rules_is_refused(ours: Git, name: str) -> None:
    with pytest.raises(Refused, match="BRANCH_NAME is refused"):
        check_branch(ours, name, "BRANCH_NAME")


def test_only_the_transport_of_the_task_is_allowed(remote: Bare, tmp_path: Path) -> None:
    deaf = Git(stop=Stop(), environ={"PATH": os.environ["PATH"]}, protocol="https")
    with pytest.raises(Exception, match="transport 'file' not allowed"):
        Remote(deaf, parse(remote.url), None).clone(tmp_path / "x", with_files=False)
