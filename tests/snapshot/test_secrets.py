"""No command sees a secret, and nothing that leaves holds one."""

import pytest

from tests.snapshot.model_stub import DONE
from tests.snapshot.repositories import FIX
from tests.snapshot.sandbox import SECRETS, Sandbox

LOOK = (
    "env; cat /proc/self/environ; cat /proc/$PPID/environ;"
    " for p in $(cut -d' ' -f4 /proc/$PPID/stat); do cat /proc/$p/environ /proc/$p/cmdline; done;"
    " cat .git/config; cat ~/.gitconfig; cat ../../spool.jsonl | base64 -di"
)

pytestmark = pytest.mark.usefixtures("from_entrypoint")


def leaked(text: str) -> list[str]:
    """The names of secrets whose value stands in a text."""
    return [name for name, value in SECRETS.items() if value in text]


def test_neither_agent_nor_validation_sees_a_secret_anywhere_it_can_look(
    sandbox: Sandbox,
) -> None:
    sandbox.makes_environments()
    sandbox.model.commands = [f"({LOOK}) 2>&1 | tr '\\0' '\\n'", FIX, DONE]
    seen = sandbox.shared / "seen.txt"
    sandbox.validates(["sh", "-c", f"({LOOK}) > {seen} 2>&1; true"])
    assert sandbox.run() == 0, sandbox.printed()
    by_agent, by_validation = (
        sandbox.model.observations[0],
        seen.read_bytes().decode(errors="replace"),
    )
    assert "FEATURE_X=visible" in by_agent, "the task's own variables are for it"
    assert "FEATURE_X=visible" in by_validation
    for text in (by_agent, by_validation):
        assert leaked(text) == []
        assert "SLIPGATE_" not in text
        assert "WEBHOOK_URL" not in text


def test_no_secret_is_reported_printed_written_or_in_an_argument_list(sandbox: Sandbox) -> None:
    seen = sandbox.shared / "seen.txt"
    look = "for f in /proc/[0-9]*/cmdline; do tr '\\0' ' ' < $f; echo; done"
    prints = 'echo "my key is $OPENAI_API_KEY"; echo "$DB_PASSWORD"'
    sandbox.agent_is(f"{FIX}; {prints}; {look} > {seen} 2>/dev/null; true")
    assert sandbox.run(DB_PASSWORD="correct horse battery") == 0, sandbox.printed()
    events = "".join(request.body.decode() for request in sandbox.gateway.requests)
    assert "my key is [redacted]" in events
    assert "correct horse" not in events
    written = [file.read_bytes() for file in sandbox.state.rglob("*") if file.is_file()]
    listed = seen.read_text()
    assert "agent-runner.py" in listed
    for text in [events, sandbox.printed(), str(sandbox.github.pulls), str(written), listed]:
        assert leaked(text) == []
