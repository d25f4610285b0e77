"""Files that git converts or filters, and its index, in which both show: what of them goes out."""

import hashlib
from pathlib import Path

import pytest

from snapshot.runner.repository.git import Git
from tests.snapshot.agent import Agent
from tests.snapshot.repositories import Bare
from tests.snapshot.test_patch import agent, ours

__all__ = ("agent", "ours")

CONVERTED = {
    "crlf.txt": "one\r\ntwo\r\nthree\r\n",
    "mixed.txt": "one\r\ntwo\nthree\r\n",
    "plain.txt": "one\ntwo\n",
    "id.c": "/* $Id$ */\nint x;\n",
    "told.c": "/* $Id: by hand $ */\nint x;\n",
    "wide.rc": "wide\n",
    "ends.bat": "echo\n",
    "filtered.dat": "data\n",
    "sub/deep.txt": "deep\r\n",
}
ATTRIBUTES = (
    "*.txt text\n*.c ident\n*.rc text working-tree-encoding=UTF-16LE\n*.bat text eol=crlf\n"
    "*.dat filter=nobody\n"
)


@pytest.fixture
def converting(ours: Git, tmp_path: Path) -> Agent:
    """An agent on a repository whose attributes came after its files."""
    remote = Bare.made(tmp_path / "converted", CONVERTED)
    remote.push("main", {".gitattributes": ATTRIBUTES}, "Attributes")
    return Agent(ours, remote, tmp_path / "agent")


@pytest.mark.parametrize(
    "script",
    ["true", "touch *", "git status -s; git add -A", "cat *.* > x; rm x"],
)
def test_an_untouched_file_is_never_in_the_patch(converting: Agent, script: str) -> None:
    converting.does(script)
    made = converting.patch()
    assert (made.text, made.warnings) == ("", ())


@pytest.mark.parametrize("name", sorted(CONVERTED))
def test_a_touched_file_is_alone_in_it(converting: Agent, name: str) -> None:
    end = {"wide.rc": "m\\0o\\0r\\0e\\0\\n\\0", "ends.bat": "more\\r\\n"}.get(name, "more\\n")
    converting.does(f"printf '{end}' >> {name}")
    made = converting.patch()
    assert converting.paths(made) == {name}
    added = [line for line in made.text.splitlines() if line.startswith("+") and "+++" not in line]
    assert added == ["+more"], "and of it only what was touched"


@pytest.mark.parametrize(
    ("script", "paths"),
    [
        ("echo '*.txt text' > .gitattributes; git add --renormalize .", {"crlf.txt", "mixed.txt"}),
        ("git update-index --chmod=+x plain.txt", {"plain.txt"}),
        ("echo x > new.sh; git add --chmod=+x new.sh; git commit -qm x", {"new.sh"}),
        ("echo x > new.sh; git add --renormalize .; git commit -qm x", {"new.sh"}),
    ],
    ids=["line ends", "mode", "new file's mode", "conversions that nobody asked for"],
)
def test_a_change_in_the_index_alone_goes_out(
    converting: Agent, script: str, paths: set[str]
) -> None:
    converting.does(script)
    made = converting.patch()
    assert converting.paths(made) - {".gitattributes", "sub/deep.txt"} == paths
    assert ("100755" in made.text) == ("chmod" in script)
    assert "\r" not in "".join(line for line in made.text.splitlines() if line[:1] == "+")


def test_work_that_is_in_the_index_alone_is_named(agent: Agent) -> None:
    agent.does("echo x >> README.md; git add README.md; sed -i '$d' README.md; echo x > new")
    made = agent.patch()
    assert agent.paths(made) == {"new"}
    assert made.doubts == ("Work of the agent on `git's index` is not in the patch: `README.md`.",)


def test_a_file_of_lfs_never_goes_out_as_it_is(ours: Git, tmp_path: Path) -> None:
    pointer = "version https://git-lfs.github.com/spec/v1\noid sha256:" + "0" * 64 + "\nsize 12\n"
    digest = hashlib.sha256(b"pulled\n").hexdigest()
    pulled = pointer.replace("0" * 64, digest).replace("12", "7")
    attributes = "*.bin filter=lfs diff=lfs merge=lfs -text\n"
    files = {".gitattributes": attributes, "a.bin": pointer, "pulled.bin": pulled}
    agent = Agent(ours, Bare.made(tmp_path / "lfs", files), tmp_path / "agent")
    agent.does(
        "echo raw > a.bin; echo raw > b.bin; sed s/12/13/ <(git show :a.bin) > c.bin; echo x > x;"
        "echo pulled > pulled.bin"
    )
    made = agent.patch()
    assert agent.paths(made) == {"c.bin", "x"}
    assert made.warnings == (
        "Left out (git LFS keeps its content, which is not pushed): `a.bin`, `b.bin`.",
    )
    assert not made.is_whole
    assert made.later.count("+raw") == 2, "it is kept"


def test_a_filter_that_did_not_run_is_named_and_nothing_goes_out_unencrypted(
    ours: Git, tmp_path: Path
) -> None:
    attributes = "*.key filter=git-crypt diff=git-crypt\n*.ipynb filter=nbstripout\n"
    files = {".gitattributes": attributes, "a.key": "\0GITCRYPT\0x", "n.ipynb": "{}\n"}
    agent = Agent(ours, Bare.made(tmp_path / "filtered", files), tmp_path / "agent")
    agent.does(
        "echo plain > a.key; echo plain > b.key; printf '\\0GITCRYPT\\0y' > c.key;"
        "echo '{\"a\": 1}' > n.ipynb"
    )
    made = agent.patch()
    assert agent.paths(made) == {"c.key", "n.ipynb"}
    assert "A filter of the repository did not run: `n.ipynb (nbstripout)`." in made.doubts
    encrypted = (
        "Left out (the repository encrypts it, which no program did here): `a.key`, `b.key`."
    )
    assert encrypted in made.warnings
    assert "plain" not in made.text
    assert all(f" b/{name}.key\n" in made.later for name in "ab"), "they are kept"
