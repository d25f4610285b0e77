"""Claude Code (`claude -p`), by the events that it prints with `--output-format stream-json`."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Annotated, Final

import msgspec

from ...configuration import AgentChoice, ModelAccess
from ...failure import Failure
from ..prices import Prices
from ..provider_errors import refused
from ..provider_urls import base_url
from ..usage import Tokens
from .program import NOTHING, UUID, ProgramEvent, shown_call, shown_output
from .upstream import Access, Upstream

LAST_TRY_OF_A_WRONG_KEY: Final = 3
"""It tries ten times, which takes minutes."""
LARGEST_COUNT: Final = 10**12
_BY_ERROR: Final = {
    "authentication_failed": ("model_auth", False),
    "oauth_org_not_allowed": ("model_auth", False),
    "billing_error": ("model_quota", False),
    "model_not_found": ("model_not_found", False),
    "rate_limit": ("model_rate_limited", True),
    "overloaded": ("model_unavailable", True),
    "server_error": ("model_unavailable", True),
    "prompt_too_long": ("model_context_exceeded", False),
    "max_output_tokens": ("model_garbage", True),
}
"""Its own names of errors → our code, and True if another attempt may succeed."""


class _Block(msgspec.Struct):
    type: str = ""
    text: str = ""
    name: str = ""
    input: dict[str, object] = {}
    content: str | list["_Block"] | None = None

    def shown(self) -> str:
        """The block for the log; thoughts are left out."""
        if self.type == "text":
            return f"\n{self.text}\n"
        if self.type == "tool_use":
            return shown_call(self.name, self.input)
        if self.type == "tool_result":
            blocks = self.content if isinstance(self.content, list) else []
            text = self.content if isinstance(self.content, str) else ""
            return shown_output(text or "\n".join(block.text for block in blocks))
        return ""


class _Message(msgspec.Struct):
    content: str | list[_Block] = ""


class _StreamEvent(msgspec.Struct):
    type: str = ""
    usage: dict[str, object] | None = None


Count = Annotated[int, msgspec.Meta(ge=0, le=LARGEST_COUNT)]


class _ModelUsage(msgspec.Struct, rename="camel"):
    input_tokens: Count = 0
    output_tokens: Count = 0
    cache_read_input_tokens: Count = 0
    cache_creation_input_tokens: Count = 0
    cost_basis: str = "list"
    """Anything else: it does not know the model's price, and tells one all the same."""

    @property
    def input(self) -> int:
        """Cached tokens included."""
        cached = self.cache_read_input_tokens + self.cache_creation_input_tokens
        return self.input_tokens + cached


class _Line(msgspec.Struct):
    type: str = ""
    subtype: str = ""
    session_id: str = ""
    message: _Message | None = None
    event: _StreamEvent | None = None
    result: str = ""
    is_error: bool = False
    error: str | None = None
    terminal_reason: str | None = None
    api_error_status: int | None = None
    attempt: int = 0
    total_cost_usd: Annotated[float, msgspec.Meta(ge=0, le=1e6)] = 0.0
    model_usage: dict[str, _ModelUsage] = msgspec.field(default_factory=dict, name="modelUsage")


class ClaudeCode:
    """`@anthropic-ai/claude-code` of npm."""

    name = "claude"
    advice = "npm install -g @anthropic-ai/claude-code, or the full image of slipgate"

    def __init__(self, choice: AgentChoice, model: ModelAccess, prices: Prices) -> None:
        self._prices = prices
        self._error: str | None = None
        effort = [f"--effort={choice.effort}"] if choice.effort else []
        self.upstream = _upstream(model)
        self._argv: Sequence[str] = (
            *(self.name, "--print", "--output-format=stream-json", "--verbose"),
            *("--include-partial-messages", "--dangerously-skip-permissions"),
            # The repository's settings could start programs, and send the key elsewhere.
            *("--setting-sources=user", "--strict-mcp-config"),
            f"--model={model.name}",
            *effort,
        )

    def argv(self, access: Access, session: str | None) -> Sequence[str]:
        del access
        return (*self._argv, *([f"--resume={session}"] if session else []))

    def environ(self, access: Access, home: Path) -> Mapping[str, str]:
        del home
        return {
            "ANTHROPIC_API_KEY": access.token,
            "ANTHROPIC_BASE_URL": access.url,
            "DISABLE_AUTOUPDATER": "1",
            "CLAUDE_CODE_DISABLE_NONESSENTIAL_TRAFFIC": "1",
            # It refuses to skip permissions as root, unless it is told that this is a sandbox.
            "IS_SANDBOX": "1",
        }

    def session_file(self, home: Path, session: str) -> Path | None:
        folders = home / ".claude" / "projects"
        return next(iter(sorted(folders.glob(f"*/{session}.jsonl"))), None)

    def read(self, line: bytes) -> ProgramEvent:
        printed = msgspec.json.decode(line, type=_Line)
        if printed.type == "system":
            return self._system(printed)
        if printed.type == "stream_event" and printed.event is not None:
            return self._streamed(printed.event)
        if printed.type in {"assistant", "user"} and printed.message is not None:
            return self._message_event(printed)
        if printed.type == "result":
            return self._result(printed)
        return NOTHING

    def _system(self, printed: _Line) -> ProgramEvent:
        if printed.subtype == "init" and UUID.fullmatch(printed.session_id):
            return ProgramEvent(session=printed.session_id)
        if printed.subtype != "api_retry":
            return NOTHING
        text = f"[the model's provider answered {printed.error}; try {printed.attempt}]\n"
        if printed.error == "authentication_failed" and printed.attempt >= LAST_TRY_OF_A_WRONG_KEY:
            failure = Failure("model_auth", "the model's provider refuses the key")
            return ProgramEvent(text=text, failure=failure, ends_run=True)
        return ProgramEvent(text=text)

    def _streamed(self, event: _StreamEvent) -> ProgramEvent:
        if event.type != "message_delta" or event.usage is None:
            return NOTHING
        return ProgramEvent(turns=(self._prices.tokens(event.usage, "messages"),))

    def _message_event(self, printed: _Line) -> ProgramEvent:
        content = printed.message.content if printed.message else ""
        blocks = content if isinstance(content, list) else []
        self._error = printed.error or self._error
        text = "".join(block.shown() for block in blocks)
        words = "\n".join(block.text for block in blocks if block.type == "text")
        is_answer = printed.type == "assistant"
        return ProgramEvent(
            text=text,
            summary=words if is_answer and words else None,
            ends_step=any(block.type == "tool_result" for block in blocks) and not is_answer,
        )

    def _result(self, printed: _Line) -> ProgramEvent:
        return ProgramEvent(
            summary=printed.result or None,
            total=self._total(printed),
            failure=self._failure(printed) if printed.is_error else None,
        )

    def _total(self, printed: _Line) -> Tokens | None:
        used = printed.model_usage.values()
        if not used:
            return None
        is_priced = all(each.cost_basis == "list" for each in used)
        return Tokens(
            input=sum(each.input for each in used),
            output=sum(each.output_tokens for each in used),
            cost_usd=printed.total_cost_usd if is_priced else None,
        )

    def _failure(self, printed: _Line) -> Failure:
        words = printed.result or printed.subtype.replace("_", " ")
        for name in (printed.terminal_reason, self._error):
            if name in _BY_ERROR:
                code, is_passing = _BY_ERROR[name]
                message = f"the model's provider refused: {words}"
                return Failure(code, message, retryable=is_passing)
        if printed.api_error_status is not None:
            return refused(printed.api_error_status, words, {})
        return Failure("agent_failed", f"claude ended with an error: {words}")


def _upstream(model: ModelAccess) -> Upstream:
    url = base_url(model)
    if model.provider == "openrouter":
        return Upstream(url=url.removesuffix("/v1"), key=model.secret_key)
    return Upstream(url=url, key=model.secret_key, header="x-api-key")
