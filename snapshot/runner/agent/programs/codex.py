"""Codex (`codex exec --json`), by the events that it prints and the session that it records."""

import json
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Final

import msgspec

from ...configuration import AgentChoice, ModelAccess
from ...failure import Failure
from ..prices import Prices
from ..provider_errors import refused
from ..provider_urls import base_url
from .program import KEY, NOTHING, UUID, ProgramEvent, shown_call, shown_output
from .rollout import Rollout
from .upstream import Access, Upstream

_STATUS: Final = re.compile(r"status:? (\d{3})\b")
_WORDS: Final = (
    ("quota", "model_quota", False),
    ("billing", "model_quota", False),
    ("context window", "model_context_exceeded", False),
    ("context length", "model_context_exceeded", False),
    ("context_length", "model_context_exceeded", False),
    ("does not exist", "model_not_found", False),
    ("usage limit", "model_rate_limited", True),
    ("stream disconnected", "model_unreachable", True),
    ("error sending request", "model_unreachable", True),
    ("at capacity", "model_unavailable", True),
)
"""Words of its errors that name no status → our code, and True if another attempt may succeed."""
_TOOLS: Final = frozenset({"command_execution", "file_change", "mcp_tool_call", "web_search"})


class _Change(msgspec.Struct):
    path: str = ""
    kind: str = ""


class _Item(msgspec.Struct):
    type: str = ""
    text: str = ""
    message: str = ""
    command: str = ""
    aggregated_output: str = ""
    exit_code: int | None = None
    changes: list[_Change] = []
    server: str = ""
    tool: str = ""
    query: str = ""

    def shown(self) -> str:
        """The item for the log; thoughts and plans are left out."""
        if self.type == "agent_message":
            return f"\n{self.text}\n"
        if self.type == "command_execution":
            return f"{shown_output(self.aggregated_output)}[exit code {self.exit_code}]\n"
        if self.type == "file_change":
            return "".join(f"[{change.kind} {change.path}]\n" for change in self.changes)
        if self.type == "mcp_tool_call":
            return f"[{self.server} {self.tool}]\n"
        if self.type == "web_search":
            return f"[search {self.query}]\n"
        return f"{self.message}\n" if self.type == "error" else ""


class _Error(msgspec.Struct):
    message: str = ""


class _Line(msgspec.Struct):
    type: str = ""
    thread_id: str = ""
    item: _Item | None = None
    error: _Error | None = None
    message: str = ""


class Codex:
    """`@openai/codex` of npm."""

    name = "codex"
    advice = "npm install -g @openai/codex, or the full image of slipgate"

    def __init__(self, choice: AgentChoice, model: ModelAccess, prices: Prices, home: Path) -> None:
        self.upstream = Upstream(url=base_url(model), key=model.secret_key)
        self._home = home
        self._rollout = Rollout(prices)
        self._session: str | None = None
        provider = {
            "name": model.provider,
            "env_key": KEY,
            "wire_api": "responses",
        }
        settings = {
            "model_provider": "slipgate",
            **{f"model_providers.slipgate.{name}": value for name, value in provider.items()},
            **({"model_reasoning_effort": choice.effort} if choice.effort else {}),
            # A login shell would set another PATH.
            "allow_login_shell": False,
            "check_for_update_on_startup": False,
            "analytics.enabled": False,
            "feedback.enabled": False,
            "shell_environment_policy.exclude": [KEY],
        }
        self._options = (
            *("--json", "--dangerously-bypass-approvals-and-sandbox", "--skip-git-repo-check"),
            f"--model={model.name}",
            # JSON's texts, truth values and lists are TOML's, too.
            *(f"--config={name}={json.dumps(value)}" for name, value in settings.items()),
        )

    def argv(self, access: Access, session: str | None) -> Sequence[str]:
        address = f"--config=model_providers.slipgate.base_url={json.dumps(access.url)}"
        resumed = ("resume",) if session else ()
        session_id = (session,) if session else ()
        return (self.name, "exec", *resumed, *self._options, address, *session_id, "-")

    def environ(self, access: Access, home: Path) -> Mapping[str, str]:
        folder = home / ".codex"
        folder.mkdir(exist_ok=True)
        return {"CODEX_HOME": str(folder), KEY: access.token}

    def session_file(self, home: Path, session: str) -> Path | None:
        folders = home / ".codex" / "sessions"
        return next(iter(sorted(folders.glob(f"*/*/*/rollout-*-{session}.jsonl"))), None)

    def read(self, line: bytes) -> ProgramEvent:
        printed = msgspec.json.decode(line, type=_Line)
        event = self._event(printed)
        self._session = event.session or self._session
        if self._session is None:
            return event
        turns = self._rollout.turns(self.session_file(self._home, self._session))
        return msgspec.structs.replace(event, turns=turns)

    def _event(self, printed: _Line) -> ProgramEvent:
        if printed.type == "thread.started" and UUID.fullmatch(printed.thread_id):
            return ProgramEvent(session=printed.thread_id)
        if printed.type == "turn.failed":
            return ProgramEvent(failure=_failure(printed.error.message if printed.error else ""))
        if printed.type == "error":
            return ProgramEvent(text=f"{printed.message}\n")
        item = printed.item
        if item is None:
            return NOTHING
        if printed.type == "item.started" and item.type == "command_execution":
            return ProgramEvent(text=shown_call("", {"command": item.command}))
        if printed.type != "item.completed":
            return NOTHING
        return ProgramEvent(
            text=item.shown(),
            summary=item.text if item.type == "agent_message" else None,
            ends_step=item.type in _TOOLS,
        )


def _failure(words: str) -> Failure:
    if found := _STATUS.search(words):
        return refused(int(found[1]), words, {})
    for sign, code, is_passing in _WORDS:
        if sign in words.lower():
            message = f"the model's provider refused: {words}"
            return Failure(code, message, retryable=is_passing)
    return Failure("agent_failed", f"codex ended with an error: {words}")
