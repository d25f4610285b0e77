"""The patch is made by a git the agent never touched: what goes out, and what is left out."""

import os
import socket
import struct
from pathlib import Path
from typing import Final

import msgspec
import pytest

from snapshot.runner.failure import RepositoryRejected
from snapshot.runner.repository import clean_checkout
from snapshot.runner.repository.git import Git
from snapshot.runner.repository.work_on_disk import AgentsWork
from snapshot.runner.stop import Reason, Stop, Stopped
from tests.snapshot.agent import Agent
from tests.snapshot.repositories import WIDGETS, Bare, git

ENTRY_BYTES: Final = 62
"""Of an entry of git's index, before its name (gitformat-index(5), of SHA-1)."""


@pytest.fixture
def ours() -> Git:
    """Our git."""
    return our_git(Stop())


def our_git(stop: Stop) -> Git:
    """Our git with a stop."""
    return Git(stop=stop, environ={"PATH": os.environ["PATH"]}, protocol="file")


@pytest.fixture
def agent(ours: Git, remote: Bare, tmp_path: Path) -> Agent:
    """An agent at its beginning."""
    return Agent(ours, remote, tmp_path / "agent")


LINK_OUT: Final = "a symbolic link out of the repository"
NESTED: Final = "a repository inside the repository"
BUILT: Final = "a folder that tools build"
SPECIAL: Final = "neither a file nor a link"
INNER: Final = "git init -q {0}; touch {0}/x"
LEFT_OUT: Final = {
    "links, folders and contents": [
        ("ln -s /etc/passwd link", "link", LINK_OUT),
        ("mkdir a; ln -s ../../x a/link", "a/link", LINK_OUT),
        ("ln -s .git/config config", "config", "a symbolic link into a .git directory"),
        ("ln -s $'caf\\351' other", "other", "a symbolic link whose target is not UTF-8"),
        (INNER.format("inner"), "inner/", NESTED),
        ("git clone -q . cloned", "cloned/", NESTED),
        ("git worktree add -q linked", "linked/", "a worktree of the repository"),
        ("python3 -m venv --without-pip env", "env", BUILT),
        ("mkdir -p web/node_modules/x; touch web/node_modules/x/y", "web/node_modules", BUILT),
        ("mkdir out; echo x > out/CACHEDIR.TAG; echo y > out/lib.rlib", "out", BUILT),
        ("ln -s /usr/lib/node_modules node_modules", "node_modules", BUILT),
        ("truncate -s 3G big.bin", "big.bin", "too large"),
        ("mkdir 'git~1'; echo x > 'git~1/config'", "git~1/config", "it lies in a .git directory"),
        ("mkdir -p b/.GIT; echo x > b/.GIT/config", "b/.GIT/config", "it lies in a .git directory"),
        ("mkdir '.git::$I'; echo x > '.git::$I/y'", ".git::$I/y", "it lies in a .git directory"),
        (
            "d=.g$'\\342\\200\\214'it; mkdir $d; echo > $d/z",
            ".git/z",
            "it lies in a .git directory",
        ),
        ("mkdir -p m/.git; touch m/.git/k", "m/.git", "it lies in a .git directory"),
        ("mkdir o; touch o/.git", "o/.git", "it lies in a .git directory"),
        ("ln -s x .gitmodules", ".gitmodules", "git does not take it"),
        ("rm Makefile; git init -q Makefile; touch Makefile/x", "Makefile/", NESTED),
        ("rm README.md; ln -s /etc/motd README.md", "README.md", "replaced by a symbolic link"),
        (
            "git update-index --add --cacheinfo 160000,$(git rev-parse @),sub",
            "sub",
            "it changes a submodule",
        ),
        ("printf '\\177ELF%12s\\4\\0rest' > core.12", "core.12", "a core dump"),
        ("echo hunter2-hunter2 > notes", "notes", "it holds a secret of the sandbox"),
    ],
    "pipes": [
        ("mkfifo pipe", "pipe", SPECIAL),
        ("rm README.md; mkfifo README.md", "README.md", SPECIAL),
        ("mkdir a; mkfifo a/.gitattributes", "a/.gitattributes", SPECIAL),
        (f"{INNER.format('x')}; mkfifo x/.git/commondir", "x/", NESTED),
        (f"{INNER.format('y')}; mkfifo ../p; ln -s ../../../p y/.git/commondir", "y/", NESTED),
        ("mkdir ../z z; mkfifo ../z/HEAD; ln -s ../../z z/.git", "z/.git", SPECIAL),
        ("mkdir ../w w; mkfifo ../w/HEAD; echo gitdir: ../../w > w/.git", "w/.git", SPECIAL),
    ],
    "rules that cannot be read": [("mkfifo .gitignore", ".gitignore", SPECIAL)],
    "rules": [
        ("echo '*.o' > .gitignore; echo x > a.o", "a.o", "ignored by the repository's own"),
        ("ln -s . up.o; ln -s up.o/../x chain", "chain", LINK_OUT),
    ],
}
"""Acts of an agent, each with the path that stays behind and a part of the reason."""


@pytest.mark.parametrize("acts", LEFT_OUT.values(), ids=LEFT_OUT)
def test_a_path_that_cannot_go_out_is_named_and_the_rest_goes(
    agent: Agent, acts: list[tuple[str, str, str]]
) -> None:
    agent.does("; ".join([*(script for script, _, _ in acts), "echo '# more' >> widgets.py"]))
    made = agent.patch()
    assert agent.paths(made) - {".gitignore"} == {"widgets.py"}
    for _, path, why in acts:
        assert path not in agent.paths(made)
        (sentence,) = [one for one in made.warnings if f"({why}" in one]
        assert f"`{path}`" in sentence


def test_a_socket_is_named(agent: Agent, monkeypatch: pytest.MonkeyPatch) -> None:
    there = socket.socket(socket.AF_UNIX)
    monkeypatch.chdir(agent.checkout)
    there.bind("s")
    there.close()
    assert agent.patch().warnings == ("Left out (neither a file nor a link): `s`.",)


def test_a_change_in_the_second_of_the_checkout_goes_out_though_the_size_stays(
    agent: Agent,
) -> None:
    theirs = (agent.checkout / ".git" / "index").stat()
    assert theirs.st_mtime_ns == agent.state.index.stat().st_mtime_ns, "the agent's git sees it too"
    agent.does("echo '# Gadgets' > README.md; touch -d @1000000000 README.md")
    take_for_unchanged(agent.state.index, agent.checkout, "README.md")
    assert "+# Gadgets" in agent.patch().text


def take_for_unchanged(index: Path, checkout: Path, name: str) -> None:
    """Give an entry, and the index with it, the times of the file as it is now."""
    found = (checkout / name).stat()
    times = (*divmod(found.st_ctime_ns, 10**9), *divmod(found.st_mtime_ns, 10**9))
    content = bytearray(index.read_bytes())
    struct.pack_into(">4I", content, content.index(name.encode() + b"\0") - ENTRY_BYTES, *times)
    index.write_bytes(content)
    os.utime(index, ns=(found.st_mtime_ns, found.st_mtime_ns))


def test_a_pipe_in_place_of_the_rules_of_git_deletes_no_file(ours: Git, tmp_path: Path) -> None:
    files = {".gitignore": "*.o\n", "x": "1\n"}
    agent = Agent(ours, Bare.made(tmp_path / "rules", files), tmp_path / "agent")
    agent.does("rm .gitignore; mkfifo .gitignore; echo 2 > x")
    made = agent.patch()
    assert agent.paths(made) == {"x"}
    assert made.warnings == ("Left out (neither a file nor a link): `.gitignore`.",)


def test_folders_without_end_hold_nothing_up_and_are_named(agent: Agent) -> None:
    make = "import os; [(os.mkdir('a' * 250), os.chdir('a' * 250)) for _ in range(20)]"
    agent.does(f'python3 -c "{make}"; echo x >> widgets.py')
    made = agent.patch()
    assert agent.paths(made) == {"widgets.py"}
    assert made.warnings[0].startswith("Left out (it cannot be read): `aaa")


def test_references_one_in_the_other_cost_nothing_but_hints(agent: Agent) -> None:
    make = "import os; [(os.mkdir('a'), os.chdir('a')) for _ in range(1500)]"
    agent.does(f'cd .git/refs/heads; python3 -c "{make}"; echo x >> ../../../widgets.py')
    assert agent.paths(agent.patch()) == {"widgets.py"}
    agent.does("rm -rf .git")


def test_an_empty_folder_in_the_place_of_a_file_deletes_it(agent: Agent) -> None:
    agent.does("rm README.md; mkdir README.md")
    assert agent.paths(agent.patch()) == {"README.md"}


def test_a_submodule_that_is_moved_or_filled_in_is_named(
    ours: Git, remote: Bare, tmp_path: Path
) -> None:
    links = "".join(f"160000 commit {'1' * 40}\t{name}\n" for name in "abcde")
    listed = git("ls-tree", "main", at=remote.path)
    tree = git("mktree", "--missing", at=remote.path, text=f"{listed}\n{links}")
    commit = git("commit-tree", "-m", "Submodules", "-p", "main", tree, at=remote.path)
    git("update-ref", "refs/heads/main", commit, at=remote.path)
    agent = Agent(ours, remote, tmp_path / "agent")
    agent.does(
        "echo x > a/new; git rm -q --cached b; echo x > b/new; git add b;"
        "git update-index --cacheinfo 160000,$(git rev-parse @),c; echo x >> widgets.py;"
        "echo gitdir: ../.git/modules/d > d/.git; echo x > d/old"
    )
    made = agent.patch()
    assert agent.paths(made) == {"widgets.py"}
    assert made.warnings == ("Left out (it changes a submodule): `a`, `b`, `c`.",)


def test_only_if_nothing_is_left_there_is_nothing(agent: Agent) -> None:
    agent.does("ln -s /etc/passwd link; git init -q inner; touch inner/x")
    made = agent.patch()
    assert made.text == ""
    assert len(made.warnings) == 2


@pytest.mark.parametrize(
    "script",
    ['d=$PWD; cd ..; rm -rf "$d"; ln -s / "$d"', 'rm -rf "$PWD"', 'rm -rf "$PWD"; touch "$PWD"'],
)
def test_without_its_directory_there_is_no_patch(agent: Agent, script: str) -> None:
    agent.does(script)
    with pytest.raises(RepositoryRejected, match="removed its whole checkout, or replaced it"):
        agent.patch()


def test_deleting_every_file_is_kept_and_may_not_go_out(agent: Agent) -> None:
    agent.does("rm -rf -- * .git")
    made = agent.patch()
    assert "deletes every file" in made.refusal
    assert made.text.count("deleted file mode") == len(WIDGETS)


def test_what_is_too_much_is_left_out_the_largest_first(agent: Agent) -> None:
    agent.does("for i in 1 2 3; do head -c ${i}000000 /dev/urandom > b$i; done; echo x > small")
    made = agent.patch(most=4_500_000)
    assert agent.paths(made) == {"b1", "b2", "small"}
    assert made.warnings == (
        "Binary files are changed: `b1`, `b2`.",
        "Left out (too large): `b3`.",
    )


@pytest.mark.parametrize(
    "script",
    [
        "printf 'caf\\351\\n' > latin.txt; printf 'a\\r\\nb\\r\\n' > crlf.txt",
        "head -c 5000 /dev/urandom > b; chmod +x widgets.py; ln -s widgets.py link",
        "rm README.md; mkdir README.md; printf 'caf\\351' > README.md/inner",
        "rm README.md; ln -s widgets.py README.md",
        "touch -- '-rf' 'a b' $'new\\nline' 'ümlaut' $'latin-\\351' '\"quoted\"' ':(top)x' '*'",
        "printf '*.txt text eol=crlf\\n' > .gitattributes; printf 'x\\r\\ny\\r\\n' > x.txt",
        "printf 'no newline' > widgets.py; : > empty",
        "mv widgets.py renamed.py; cp renamed.py copied.py",
        "printf 'diff --git a/x b/x\\n--- a/x\\n' > README.md; printf 'diff --git a b' > d",
        "rm -rf .git; git init -q; git add -A; git commit -qm all; echo x >> widgets.py",
    ],
    ids=[
        *("encodings", "modes", "file to directory", "file to link", "names", "line ends"),
        *("ends", "renames", "headers", "another repository"),
    ],
)
def test_the_patch_gives_the_very_tree_of_the_agent(ours: Git, agent: Agent, script: str) -> None:
    agent.does(script)
    made = agent.patch()
    assert made.text
    made.text.encode("utf-8")
    applied = clean_checkout.apply(ours, agent.clone, made, agent.workdir("applied"))
    checkout = agent.workdir("checkout")
    clean_checkout.fill(ours, agent.clone, applied, checkout)
    assert git("status", "--porcelain=v1", "-uall", at=checkout) != ""
    assert git("diff", "--stat", at=checkout) == "", "files and index agree"


def test_nothing_changed_is_no_patch(agent: Agent) -> None:
    agent.does("touch widgets.py; mkdir empty; git commit -q --allow-empty -m x; git stash -q || :")
    made = agent.patch()
    assert (made.text, made.warnings) == ("", ())


def test_what_the_agent_committed_itself_counts_too(agent: Agent) -> None:
    agent.does("echo '# x' >> widgets.py; git commit -qam mine; git checkout -q -b other")
    made = agent.patch()
    assert agent.paths(made) == {"widgets.py"}
    assert made.warnings == ()


def test_many_files_in_another_encoding_take_no_git_each(agent: Agent) -> None:
    agent.does("for i in $(seq 300); do echo $i > f$i; printf 'caf\\351 %s' $i > l$i; done")
    made, processes = agent.patch_and_processes()
    assert len(agent.paths(made)) == 600
    assert processes < 40


def test_many_contents_are_one_file_to_copy(agent: Agent) -> None:
    agent.does("for i in $(seq 300); do echo $i > f$i; done")
    (objects,) = agent.patch().objects
    files = [file for file in objects.rglob("*") if file.is_file()]
    assert len(files) < 20


@pytest.fixture
def large(ours: Git, tmp_path: Path) -> Agent:
    """An agent on a repository of four packages of thirty files."""
    names = [f"pkg{number % 4}/file{number}.txt" for number in range(120)]
    remote = Bare.made(tmp_path / "large", {name: f"{name}\n" for name in names} | WIDGETS)
    return Agent(ours, remote, tmp_path / "agent")


@pytest.mark.parametrize(
    "script",
    [
        "git sparse-checkout set pkg1",
        "git sparse-checkout init --cone --sparse-index; git sparse-checkout set pkg1",
        "git update-index --skip-worktree pkg0/*; rm -r pkg0",
        (
            "git config core.sparseCheckout true; git config core.sparseCheckoutCone false;"
            " mkdir -p .git/info; echo pkg1/ > .git/info/sparse-checkout;"
            " git read-tree -mu HEAD"
        ),
    ],
)
def test_what_a_sparse_checkout_takes_off_the_disk_is_not_deleted(
    large: Agent, script: str
) -> None:
    large.does(f"{script}; echo x >> pkg1/file1.txt")
    made = large.patch()
    assert large.paths(made) == {"pkg1/file1.txt"}
    (sentence,) = made.warnings
    assert sentence.startswith("Not deleted (a sparse checkout keeps them off the disk): `")
    assert made.is_whole


def test_what_git_was_told_to_overlook_is_still_seen(large: Agent) -> None:
    large.does(
        "git update-index --assume-unchanged pkg0/file0.txt; echo x >> pkg0/file0.txt;"
        "git update-index --skip-worktree pkg1/file1.txt; echo x >> pkg1/file1.txt;"
        "git config core.ignoreStat true; mkdir -p .git/info; echo pkg3 > .git/info/exclude;"
        "echo x > pkg3/new"
    )
    made = large.patch()
    assert large.paths(made) == {"pkg0/file0.txt", "pkg1/file1.txt", "pkg3/new"}


def test_many_deletions_need_a_person_and_files_that_moved_are_none(large: Agent) -> None:
    large.does("git mv pkg0 moved")
    assert large.patch().is_whole
    large.does("rm -r pkg1 pkg2")
    made = large.patch()
    assert not made.is_whole
    assert made.doubts[0].startswith("It deletes 60 of 124 files: `pkg1/")


def test_a_file_taken_out_of_the_index_alone_is_not_deleted(agent: Agent) -> None:
    agent.does("git rm -q --cached README.md; echo x >> widgets.py")
    made = agent.patch()
    assert agent.paths(made) == {"widgets.py"}
    (sentence,) = made.warnings
    assert sentence == "Not deleted (taken out of git's index, but on the disk): `README.md`."


@pytest.mark.parametrize("before", ["true", "git update-index --split-index"])
def test_an_ignored_file_that_was_added_goes_out(agent: Agent, before: str) -> None:
    agent.does(
        f"{before}; echo build/ > .gitignore; mkdir build; echo x > build/wanted;"
        "echo y > build/other; git add -f build/wanted"
    )
    assert agent.paths(agent.patch()) == {".gitignore", "build/wanted"}


def test_new_files_in_a_folder_the_repository_keeps_go_out(ours: Git, tmp_path: Path) -> None:
    kept = {"node_modules/a/index.js": "1\n", "x.js": "1\n"}
    agent = Agent(ours, Bare.made(tmp_path / "kept", kept), tmp_path / "agent")
    agent.does(
        "mkdir -p node_modules/b web/node_modules/c; echo 1 > node_modules/b/index.js;"
        "echo 1 > web/node_modules/c/x"
    )
    made = agent.patch()
    assert agent.paths(made) == {"node_modules/b/index.js"}
    assert made.warnings == (
        "Generated files are changed: `node_modules/b/index.js`.",
        "Left out (a folder that tools build): `web/node_modules`.",
    )


COMMIT = "echo x > new; git add new; git commit -qm x"


@pytest.mark.parametrize(
    ("script", "where"),
    [
        ("echo x > new; git add new; git stash -q", "stash 0"),
        ("echo x > new; git stash -qu", "stash 0, new files"),
        (f"git switch -qc side; {COMMIT}; git switch -q -", "branch side"),
        (f"git switch -qc a/b; {COMMIT}; git switch -q -; git pack-refs --all", "branch a/b"),
        (f"{COMMIT}; git tag v1; git reset -q --hard HEAD~1", "tag v1"),
        (f"{COMMIT}; git tag -m v v1; git reset -q --hard HEAD~1; git pack-refs --all", "tag v1"),
        (f"git switch -q --detach; {COMMIT}; git switch -q main", "detached commit"),
        (f"{COMMIT}; git update-ref refs/wip/1 @; git reset -q --hard @~1", "refs/wip/1"),
        (f"git worktree add -q --detach ../w; cd ../w; {COMMIT}; cd - > /dev/null", "detached"),
        ("git worktree add -q ../w; echo x > ../w/new", "worktree ../w"),
        (
            f"git init -q --separate-git-dir ../g; git switch -qc side; {COMMIT}; git switch -q -",
            "branch side",
        ),
        (f"git switch -qc side; {COMMIT}; git switch -q -; mv .git ..; ln -s ../.git .git", "side"),
        ("git worktree add -q ../w; echo x > ../w/new; mkfifo ../w/.gitignore", "worktree ../w"),
        (f"{COMMIT}; git sparse-checkout set --no-cone '/*' '!/new'", "HEAD"),
        (f"git clone -q . ../tmp/x; cd ../tmp/x; {COMMIT}; cd - > /dev/null", "main of clone"),
        ("mkdir -p ../home/src; cp -r . ../home/src/x; echo x > ../home/src/x/new", "clone ../ho"),
        (f"git clone -qs . ../x; cd ../x; git switch -qc a; {COMMIT}; cd - >/dev/null", "branch a"),
    ],
)
def test_work_that_is_not_in_the_directory_is_named(agent: Agent, script: str, where: str) -> None:
    agent.does(f"{script}; echo x >> widgets.py")
    made = agent.patch()
    assert agent.paths(made) == {"widgets.py"}
    (sentence,) = (one for one in made.doubts if where in one)
    assert "`new`" in sentence


@pytest.mark.parametrize(
    "script",
    [
        "echo y > new; git stash -qu; git stash apply -q",
        f"{COMMIT}; echo y > new",
        f"git switch -qc side; {COMMIT}; git switch -q -; git merge -q --no-ff side; echo y > new",
        (
            f"git switch -q --detach; {COMMIT}; git switch -q main; git checkout -q HEAD@{{1}};"
            "echo y > new; git commit -qam y; git switch -q main; echo y > new"
        ),
        "git worktree add -q ../w; echo y > new; cp new ../w; python3 -m venv --without-pip ../w/v",
        (
            f"git switch -q --orphan old; {COMMIT}; git tag old; git switch -q main;"
            "git branch -qD old; echo y > new"
        ),
        (
            f"{COMMIT}; git tag v2; git update-ref refs/remotes/origin/next HEAD;"
            "git reset -q --hard HEAD~1; echo y > new"
        ),
        (
            "mkdir -p .git/worktrees/w; echo $PWD/../w/.git > .git/worktrees/w/gitdir;"
            "mkdir ../w; echo gitdir: $PWD/.git > ../w/.git; echo x > ../w/x; echo y > new"
        ),
        (
            f"git init -q ../own; cd ../own; {COMMIT}; cd - > /dev/null;"
            "git clone -q . ../tmp/same; echo y > new; cp new ../tmp/same"
        ),
        (
            f"git clone -q . ../up; cd ../up; {COMMIT}; cd - > /dev/null;"
            "git fetch -q ../up main:refs/prefetch/remotes/origin/main; rm -rf ../up; echo y > new"
        ),
    ],
    ids=[
        *("stash", "committed", "merged", "left", "worktree", "old tag", "fetched tag", "foreign"),
        *("own repository, same clone", "prefetched"),
    ],
)
def test_work_that_was_taken_over_or_is_not_the_agents_is_not_named(
    agent: Agent, script: str
) -> None:
    agent.does(script)
    made = agent.patch()
    assert agent.paths(made) == {"new"}
    assert made.warnings == ()


def test_work_on_many_branches_is_one_sentence(agent: Agent) -> None:
    agent.does(
        f"git switch -qc side; {COMMIT}; git switch -q main; echo x >> widgets.py;"
        "for each in $(seq 40); do"
        " git branch b/$each $(git commit-tree -p side -m $each side^{tree}); done"
    )
    (sentence,) = agent.patch().doubts
    places = "`branch b/1`, `branch b/10`, `branch b/11` and 38 more"
    assert sentence == f"Work of the agent on {places} is not in the patch: `new`."


class EndsAt(Stop):
    """The time is over as soon as a folder is there."""

    def __init__(self, folder: Path) -> None:
        super().__init__()
        self._folder = folder

    def check(self) -> None:
        if self._folder.exists():
            self.request(Reason.TIME_OVER, "the time is over")
        super().check()


@pytest.mark.parametrize(
    ("folder", "sentence"),
    [
        ("main/undone", "The work was not looked through to its end: the time is over."),
        ("main/unpatched", "The work was not looked through to its end: the time is over."),
        ("inner-0", "The submodule `lib` cannot be read: the time is over."),
    ],
)
def test_the_time_to_look_for_more_may_end_and_the_patch_stays(
    agent: Agent, tmp_path: Path, folder: str, sentence: str
) -> None:
    inner = msgspec.structs.replace(agent.state, path="lib")
    work = AgentsWork(states=(agent.state, inner), is_finished=True)
    agent.does("git branch side $(git commit-tree -m x HEAD^{tree}); echo x >> widgets.py")
    git = our_git(EndsAt(tmp_path / "patch" / folder))
    made = work.patch(git, tmp_path / "patch", is_secret=lambda _: False)
    assert agent.paths(made.main) == {"widgets.py"}
    assert sentence in made.warnings
    assert not made.is_whole


def test_a_git_that_is_stopped_leaves_no_pipe_open(tmp_path: Path) -> None:
    stop = Stop()
    stop.request(Reason.TIME_OVER, "the time is over")
    os.mkfifo(tmp_path / "endless")
    before = len([*Path("/proc/self/fd").iterdir()])
    with pytest.raises(Stopped) as stopped:
        our_git(stop)("hash-object", "--no-filters", f"{tmp_path}/endless")
    assert len([*Path("/proc/self/fd").iterdir()]) == before, stopped


HOSTILE = """
printf '#!/bin/sh\\ntouch {mark}\\n' > .git/evil; chmod +x .git/evil
for key in core.fsmonitor core.sshCommand core.editor diff.external credential.helper \\
  core.alternateRefsCommand filter.lfs.clean filter.lfs.process core.pager; do
  git config $key $PWD/.git/evil; done
git config core.hooksPath .git; cp .git/evil .git/post-index-change; cp .git/evil .git/pre-commit
mkdir -p .git/objects/info .git/refs/heads/x; mkfifo .git/objects/info/alternates .git/refs/heads/p
ln -s /etc/passwd .git/refs/heads/l; ln -s / .git/refs/heads/x/all
echo '* filter=lfs diff=evil' > .gitattributes
"""


def test_nothing_of_a_hostile_git_directory_runs_or_holds_us_up(agent: Agent) -> None:
    agent.does(HOSTILE.format(mark=agent.checkout.parent / "ran") + "echo x >> widgets.py")
    made = agent.patch()
    assert not (agent.checkout.parent / "ran").exists()
    assert ".gitattributes" in agent.paths(made)


@pytest.mark.parametrize(
    "script",
    [
        "rm .git/index; mkfifo .git/index",
        "head -c 5000 /dev/urandom > .git/index",
        "truncate -s 3G .git/index",
        "rm -rf .git; ln -s / .git",
        "rm -rf .git; echo 'gitdir: /tmp' > .git",
        "rm -rf .git/refs .git/logs; mkfifo .git/refs .git/logs",
        "mkdir -p .git/logs/refs; head -c 99999 /dev/urandom > .git/logs/refs/stash",
        "git pack-refs --all; head -c 99999 /dev/urandom > .git/packed-refs",
        f"yes ' {'a' * 40}' | head -c 4000000 | tr -d '\\n' > .git/logs/refs/heads/main",
    ],
)
def test_a_broken_git_directory_costs_nothing_but_its_hints(agent: Agent, script: str) -> None:
    agent.does(f"{script}; echo x >> widgets.py")
    assert agent.paths(agent.patch()) == {"widgets.py"}
