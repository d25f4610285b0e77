"""opencode (`opencode run --format json`), by the events that it prints."""

import json
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Annotated, Final

import msgspec

from ...configuration import AgentChoice, ModelAccess
from ...failure import Failure
from ..engine import has_responses
from ..prices import Prices
from ..provider_errors import refused
from ..provider_urls import base_url
from .program import KEY, NOTHING, ProgramEvent, shown_call, shown_output
from .upstream import Access, Upstream

COMPATIBLE: Final = "@ai-sdk/openai-compatible"
"""Its package for servers of OpenAI's chat completions, which its binary brings."""
OURS: Final = "slipgate"
"""A provider that its configuration alone describes."""
NO_MODELS: Final = ".no-models.json"
LAST_OVERFLOW: Final = 3
"""It shortens its history and asks again, for ever where that is not enough."""
_SESSION: Final = re.compile(r"ses_[A-Za-z0-9]{1,64}")
_BY_NAME: Final = {
    "ProviderAuthError": ("model_auth", False),
    "ContextOverflowError": ("model_context_exceeded", False),
    "MessageOutputLengthError": ("model_garbage", True),
    "ProviderModelNotFoundError": ("model_not_found", False),
    "ModelNotFoundError": ("model_not_found", False),
}


class _Cache(msgspec.Struct):
    read: int = 0
    write: int = 0


class _Tokens(msgspec.Struct):
    input: int = 0
    output: int = 0
    reasoning: int = 0
    cache: _Cache = msgspec.field(default_factory=_Cache)


class _State(msgspec.Struct):
    input: dict[str, object] = {}
    output: str = ""
    error: str = ""


class _Part(msgspec.Struct):
    text: str = ""
    synthetic: bool = False
    """True for a text that opencode wrote itself, as an instruction to the model."""
    tool: str = ""
    state: _State | None = None
    reason: str = ""
    tokens: _Tokens | None = None
    cost: Annotated[float, msgspec.Meta(ge=0, le=1e6)] = 0.0


class _ErrorData(msgspec.Struct, rename="camel"):
    message: str = ""
    status_code: int | None = None


class _Error(msgspec.Struct):
    name: str = ""
    data: _ErrorData = msgspec.field(default_factory=_ErrorData)


class _Line(msgspec.Struct):
    type: str = ""
    session: str = msgspec.field(default="", name="sessionID")
    part: _Part | None = None
    error: _Error | None = None


class Opencode:
    """`opencode-ai` of npm."""

    name = "opencode"
    advice = "npm install -g opencode-ai, or the full image of slipgate"

    def __init__(self, choice: AgentChoice, model: ModelAccess, prices: Prices) -> None:
        self._model = model
        self._prices = prices
        self._overflows = 0
        self.upstream = _upstream(model)
        self._argv: Sequence[str] = (
            *(self.name, "run", "--format=json", "--auto", "--title=Task"),
            f"--model={_provider(model)}/{model.name}",
            *([f"--variant={choice.effort}"] if choice.effort else []),
        )

    def argv(self, access: Access, session: str | None) -> Sequence[str]:
        del access
        return (*self._argv, *([f"--session={session}"] if session else []))

    def environ(self, access: Access, home: Path) -> Mapping[str, str]:
        models: dict[str, str] = {}
        if _provider(self._model) == OURS:
            # Its own list, which this model is not from, takes 2 s of processor time at each start.
            (home / NO_MODELS).write_text("{}")
            models = {"OPENCODE_MODELS_PATH": str(home / NO_MODELS)}
        return {
            **models,
            KEY: access.token,
            "OPENCODE_CONFIG_CONTENT": json.dumps(_config(self._model, access.url)),
            # The repository's settings could start programs, and send the key elsewhere.
            "OPENCODE_DISABLE_PROJECT_CONFIG": "1",
            "OPENCODE_DISABLE_DEFAULT_PLUGINS": "1",
            "OPENCODE_PURE": "1",
            "OPENCODE_DISABLE_AUTOUPDATE": "1",
            "OPENCODE_DISABLE_MODELS_FETCH": "1",
            "OPENCODE_DISABLE_LSP_DOWNLOAD": "1",
        }

    def session_file(self, home: Path, session: str) -> Path | None:
        """None: opencode keeps its sessions in a database."""
        del home, session
        return None

    def read(self, line: bytes) -> ProgramEvent:
        printed = msgspec.json.decode(line, type=_Line)
        session = printed.session if _SESSION.fullmatch(printed.session) else None
        if printed.error is not None:
            return self._error(printed.error, session)
        event = self._event(printed.type, printed.part) if printed.part is not None else NOTHING
        return msgspec.structs.replace(event, session=session)

    def _error(self, error: _Error, session: str | None) -> ProgramEvent:
        failure = _failure(error)
        self._overflows += failure.code == "model_context_exceeded"
        ends_run = self._overflows >= LAST_OVERFLOW
        return ProgramEvent(session=session, failure=failure, ends_run=ends_run)

    def _event(self, kind: str, part: _Part) -> ProgramEvent:
        if kind == "text" and not part.synthetic:
            return ProgramEvent(text=f"\n{part.text}\n", summary=part.text)
        if kind == "tool_use" and part.state is not None:
            call = shown_call(part.tool, part.state.input)
            return ProgramEvent(text=call + shown_output(part.state.output or part.state.error))
        if kind == "step_finish" and part.tokens is not None:
            return self._step(part, part.tokens)
        return NOTHING

    def _step(self, part: _Part, used: _Tokens) -> ProgramEvent:
        usage = {
            "input_tokens": used.input,
            "cache_read_input_tokens": used.cache.read,
            "cache_creation_input_tokens": used.cache.write,
            "output_tokens": used.output + used.reasoning,
        }
        tokens = self._prices.tokens(usage, "messages")
        if tokens.cost_usd is None and part.cost > 0:
            tokens = msgspec.structs.replace(tokens, cost_usd=part.cost)
        return ProgramEvent(turns=(tokens,), ends_step=part.reason == "tool-calls")


def _provider(model: ModelAccess) -> str:
    """Its own providers speak OpenAI's Responses and Google's API, which most other servers do not
    have."""
    if model.provider == "openai":
        return "openai" if has_responses(model) else OURS
    return OURS if model.provider == "google" and model.base_url else model.provider


def _upstream(model: ModelAccess) -> Upstream:
    url, key = base_url(model), model.secret_key
    if model.provider == "anthropic":
        return Upstream(url=f"{url}/v1", key=key, header="x-api-key")
    is_googles = _provider(model) == "google"
    return Upstream(url=url, key=key, header="x-goog-api-key" if is_googles else "authorization")


def _config(model: ModelAccess, url: str) -> dict[str, object]:
    """Its configuration for this model alone."""
    name, options = _provider(model), {"apiKey": f"{{env:{KEY}}}", "baseURL": url}
    is_ours = name == OURS
    provider = {
        **({"npm": COMPATIBLE} if is_ours else {}),
        "options": options,
        "models": {model.name: {"reasoning": True} if is_ours else {}},
    }
    return {
        "provider": {name: provider},
        "enabled_providers": [name],
        "autoupdate": False,
        "share": "disabled",
        # git has the beginning: a commit of its own at each step costs time.
        "snapshot": False,
        "lsp": False,
        "formatter": False,
    }


def _failure(error: _Error) -> Failure:
    words = error.data.message or error.name
    if error.name in _BY_NAME:
        code, is_passing = _BY_NAME[error.name]
        return Failure(code, f"the model's provider refused: {words}", retryable=is_passing)
    if error.data.status_code is not None:
        return refused(error.data.status_code, words, {})
    return Failure("agent_failed", f"opencode ended with an error: {words}")
