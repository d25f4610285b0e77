"""Submodules: there for the agent and its checks, and changes in one are kept."""

from pathlib import Path

import pytest

from tests.snapshot.patience import until
from tests.snapshot.repositories import FIX, Bare, git
from tests.snapshot.sandbox import BRANCH, Sandbox


@pytest.fixture
def nested(sandbox: Sandbox, tmp_path: Path) -> Sandbox:
    """The project with a submodule, in which there is another one."""
    inner = Bare.made(tmp_path / "inner", {"inner.txt": "inner\n"})
    outer = Bare.made(tmp_path / "outer", {"outer.txt": "outer\n"})
    with_submodule(outer, "deep", inner.url)
    with_submodule(sandbox.remote, "lib", "../../../outer/acme/widgets.git")
    return sandbox


def with_submodule(bare: Bare, path: str, url: str) -> None:
    """Commit a submodule to main; its address may be one that only a clone can resolve."""
    work = bare.path.parent / f"adding-{path}"
    allow = ("-c", "protocol.file.allow=always")
    git("clone", "-q", str(bare.path), str(work), at=bare.path)
    absolute = url if "://" in url else f"file://{(bare.path / url).resolve()}"
    git(*allow, "submodule", "add", "-q", absolute, path, at=work)
    git("config", "-f", ".gitmodules", f"submodule.{path}.url", url, at=work)
    git("commit", "-qam", "Submodule", at=work)
    git("push", "-q", "origin", "main", at=work)


def test_they_are_there_for_the_agent_and_its_checks(nested: Sandbox) -> None:
    nested.agent_is(f"{FIX}; cat lib/outer.txt lib/deep/inner.txt > seen.txt")
    nested.validates(["cat", "lib/outer.txt", "lib/deep/inner.txt"])
    assert nested.run() == 0, nested.printed()
    assert nested.gateway.last.type == "task.completed", nested.gateway.last
    assert nested.remote.show(BRANCH, "seen.txt") == "outer\ninner"


def test_work_that_is_taken_up_finds_them_too(nested: Sandbox) -> None:
    with_dead_link(nested.remote)
    there, paid = nested.shared / "there", nested.shared / "paid-again"
    nested.agent_is(FIX)
    nested.validates(["sh", "-c", f"touch {there}; sleep 600"])
    process = nested.start()
    until(there.exists, "validation")
    nested.kill(process)
    nested.agent_is(f"touch {paid}")
    nested.validates(["cat", "lib/outer.txt", "lib/deep/inner.txt"])
    assert nested.run() == 0, nested.printed()
    last = nested.gateway.last
    assert (last.type, paid.exists()) == ("task.completed", False), last
    assert "The submodule `dead` is not checked out" in str(last.data["warnings"])


def with_dead_link(bare: Bare) -> None:
    """Commit a submodule that has no address to main."""
    work = bare.path.parent / "adding-link"
    git("clone", "-q", str(bare.path), str(work), at=bare.path)
    git("update-index", "--add", "--cacheinfo", f"160000,{'1' * 40},dead", at=work)
    git("commit", "-qm", "Link", at=work)
    git("push", "-q", "origin", "main", at=work)


def test_a_change_in_one_is_kept_and_needs_a_person(nested: Sandbox) -> None:
    nested.agent_is(f"{FIX}; echo more >> lib/outer.txt; echo more >> lib/deep/inner.txt")
    assert nested.run() == 0, nested.printed()
    last = nested.gateway.last
    assert last.type == "task.needs_review"
    assert "The submodule `lib` is changed" in str(last.data["warnings"])
    assert "The submodule `lib/deep` is changed" in str(nested.github.pulls[0]["body"])
    text = nested.gateway.patch
    assert "--- a/lib/outer.txt" in text
    assert "--- a/lib/deep/inner.txt" in text
    assert "2 * n" in nested.remote.show(BRANCH, "widgets.py"), "the rest goes out"
    listed = git("ls-tree", BRANCH, "lib", at=nested.remote.path)
    assert listed == git("ls-tree", "main", "lib", at=nested.remote.path)


def test_one_that_is_changed_alone_is_kept_without_a_pull_request(nested: Sandbox) -> None:
    nested.agent_is("echo more >> lib/outer.txt")
    assert nested.run() == 0, nested.printed()
    last = nested.gateway.last
    assert last.type == "task.needs_review"
    assert "The submodule `lib` is changed" in str(last.data["summary"])
    assert "--- a/lib/outer.txt" in str(last.data["patch"])
    assert BRANCH not in nested.remote.branches()


def test_one_that_is_removed_or_replaced_is_named(nested: Sandbox) -> None:
    nested.agent_is(f"{FIX}; rm -rf lib; echo x > lib")
    assert nested.run() == 0, nested.printed()
    last = nested.gateway.last
    assert last.type == "task.needs_review"
    assert "Left out (it changes a submodule): `lib`." in str(last.data["warnings"])


def test_those_that_cannot_be_had_are_named_and_stop_nothing(sandbox: Sandbox) -> None:
    ran = sandbox.shared / "ran"
    urls = {"gone": "https://127.0.0.1:1/acme/gone", "ext": f"ext::sh -c touch% {ran}", "opt": "-x"}
    urls["old"] = "git://127.0.0.1:1/acme/old"
    work = sandbox.remote.path.parent / "adding"
    git("clone", "-q", str(sandbox.remote.path), str(work), at=sandbox.root)
    sections = (f'[submodule "{at}"]\n\tpath = {at}\n\turl = {urls[at]}\n' for at in urls)
    (work / ".gitmodules").write_text("".join(sections))
    links = "".join(f"160000 {'1' * 40}\t{path}\n" for path in urls)
    git("update-index", "--index-info", at=work, text=links)
    git("add", ".gitmodules", at=work)
    git("commit", "-qm", "Submodules", at=work)
    git("push", "-q", "origin", "main", at=work)
    sandbox.agent_is(FIX)
    assert sandbox.run() == 0, sandbox.printed()
    for path in urls:
        named = f"The submodule `{path}` is not checked out: "
        assert named in str(sandbox.gateway.last.data["warnings"])
    assert "'https://127.0.0.1:1/acme/old/'" in str(sandbox.gateway.last.data["warnings"])
    assert "TARGET_REPO" not in str(sandbox.gateway.last.data["warnings"])
    assert not ran.exists()
    assert "2 * n" in sandbox.remote.show(BRANCH, "widgets.py")
