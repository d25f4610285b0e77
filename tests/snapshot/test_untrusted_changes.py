"""Files of an agent's checkout are data: none of them runs where we push."""

from tests.snapshot.repositories import FIX, git
from tests.snapshot.sandbox import BRANCH, Sandbox

TRAPS = """
mark="touch '{root}/trapped'"
mkdir -p .git/hooks
for hook in pre-commit pre-push post-checkout post-commit reference-transaction post-index-change
do printf '#!/bin/sh\\n%s\\n' "$mark" > .git/hooks/$hook; chmod +x .git/hooks/$hook; done
git config core.fsmonitor "$mark; false"
git config core.hooksPath .git/hooks
git config diff.external "$mark; false"
git config filter.evil.clean "$mark; cat"
git config filter.evil.smudge "$mark; cat"
git config diff.evil.textconv "$mark; cat"
git config diff.evil.command "$mark; cat"
git config credential.helper "!$mark"
git config url.file:///nonexistent/.insteadOf file://
printf '* filter=evil diff=evil\\n' > .gitattributes
printf '#!/bin/sh\\n%s\\n' "$mark" > "$HOME/evil.sh"
git config --global core.hooksPath "$HOME"
git config --global core.fsmonitor "$mark; false"
"""


def test_hooks_configuration_filters_and_attributes_of_the_agent_do_nothing(
    sandbox: Sandbox,
) -> None:
    sandbox.agent_is(TRAPS.format(root=sandbox.shared) + FIX)
    assert sandbox.run() == 0, sandbox.printed()
    assert sandbox.gateway.last.type == "task.completed", sandbox.gateway.last
    assert not (sandbox.shared / "trapped").exists()
    assert "-    return n + n + 1\n" in str(sandbox.gateway.last.data["patch"])
    assert ".gitattributes" in sandbox.remote.files(BRANCH)


def test_a_change_cannot_be_hidden_as_binary(sandbox: Sandbox) -> None:
    sandbox.agent_is(f"{FIX}; echo '* binary' > .gitattributes")
    assert sandbox.run() == 0, sandbox.printed()
    assert "-    return n + n + 1\n" in str(sandbox.gateway.last.data["patch"])


def test_what_validation_writes_is_never_committed(sandbox: Sandbox) -> None:
    sandbox.agent_is(FIX)
    script = (
        "echo evil > widgets.py; echo evil > new.py; git add -A; git commit -qm evil;"
        f" {TRAPS.format(root=sandbox.shared)}"
    )
    sandbox.validates(["sh", "-c", script])
    assert sandbox.run() == 0, sandbox.printed()
    assert "evil" not in sandbox.remote.show(BRANCH, "widgets.py")
    assert sandbox.remote.files(BRANCH) == sandbox.remote.files("main")
    assert not (sandbox.shared / "trapped").exists()


def test_odd_names_bits_links_and_binary_files_survive_and_forgotten_caches_stay_out(
    sandbox: Sandbox,
) -> None:
    names = "touch -- '--upload-pack=x' '-rf' 'a b' $'new\\nline' '$(touch x)' 'ümlaut'"
    sandbox.agent_is(
        f"{FIX}; {names}; chmod +x widgets.py; ln -s widgets.py link; head -c 3000 /dev/urandom > b"
        "; mkdir -p __pycache__ node_modules/x; touch __pycache__/a.pyc node_modules/x/y"
        " .aider.chat.history.md"
    )
    assert sandbox.run() == 0, sandbox.printed()
    last = sandbox.gateway.last
    assert last.type == "task.needs_review"
    warnings = last.data["warnings"]
    assert isinstance(warnings, list)
    assert warnings[::2] == ["Binary files are changed: `b`.", "Executable now: `widgets.py`."]
    files = set(sandbox.remote.files(BRANCH))
    new = {"--upload-pack=x", "-rf", "a b", "$(touch x)", "b", "link"}
    assert new <= files - set(sandbox.remote.files("main"))
    assert not [name for name in files if "__pycache__" in name or "node_modules" in name]
    (listed,) = git("ls-tree", BRANCH, "widgets.py", at=sandbox.remote.path).splitlines()
    assert listed.startswith("100755 ")
