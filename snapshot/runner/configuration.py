"""The configuration of one attempt, built once from an environ that is passed in."""

import re
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Annotated, Final, Literal, TypeVar, cast, get_args
from urllib.parse import quote

import msgspec

from .github_token import GitHubToken
from .reporting.signing import Signer
from .variables import Problems, Secret, Variables

T = TypeVar("T")
PROVIDERS: Final = {
    "openai": "OPENAI",
    "anthropic": "ANTHROPIC",
    "google": "GEMINI",
    "openrouter": "OPENROUTER",
}
"""MODEL_PROVIDER → prefix of its variables."""
PROVIDERS_OF_ENGINE: Final = {
    "claude-code": ("anthropic", "openrouter"),
    "codex": ("openai", "openrouter"),
}
"""Engines that do not speak to every provider."""
GITHUB_API_URL: Final = "https://api.github.com"
PULL_REQUESTS: Final = ("draft", "ready")
DEFAULT_RUN_SECONDS: Final = 3600
DEFAULT_COST_USD: Final = 3.0
ModelApi = Literal["chat", "responses"]
PRICES_FORM: Final = (
    'a JSON object like {"pattern of a model": {"input": USD per million tokens, "output": n, '
    '"cacheRead": n, "cacheWrite": n}}'
)
_SAFE_NAME: Final = re.compile(r"[^A-Za-z0-9_-]+")


class ModelPrice(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """USD per million tokens; what is read from or written to a cache costs `input` by default."""

    input: Annotated[float, msgspec.Meta(ge=0)]
    output: Annotated[float, msgspec.Meta(ge=0)]
    cache_read: Annotated[float, msgspec.Meta(ge=0)] | None = None
    cache_write: Annotated[float, msgspec.Meta(ge=0)] | None = None


class AgentChoice(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """`SLIPGATE_AGENT`: the engine for the task, and its limits."""

    engine: Literal["mini", "claude-code", "codex", "opencode", "command"] = "mini"
    command: tuple[str, ...] | None = None
    max_turns: int = 60
    max_cost_usd: float | None = None
    """None: nobody gave one, and the default holds."""
    effort: Literal["low", "medium", "high"] | None = None
    max_repair_rounds: int = 1
    spent_turns: int = 0
    """Of earlier attempts of the task, which its limits count too."""
    spent_cost_usd: float = 0.0

    @property
    def cost_limit_usd(self) -> float:
        return DEFAULT_COST_USD if self.max_cost_usd is None else self.max_cost_usd


class Continuation(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """`SLIPGATE_CONTINUE`: the branch of an ended task that this one goes on with."""

    branch: str
    pr_url: str | None = None
    head_sha: str | None = None
    """The newest commit that the ended task pushed."""
    requested_by: str | None = None
    """The login on GitHub of the person who asked; None: a request of the gateway's own API."""

    @property
    def has_branch(self) -> bool:
        """True if the ended task pushed its branch."""
        return self.head_sha is not None or self.pr_url is not None


class Connection(msgspec.Struct, frozen=True, kw_only=True):
    """The identity of this attempt and its way to the gateway: without it nothing is reported."""

    task_id: str
    attempt: int
    workspace_id: str
    state_directory: Path
    webhook_url: str | None
    webhook_secret: Secret | None
    flat_url: Secret | None
    """A capability URL, used only without a secret: its holder may report events of the task."""
    traceparent: str | None
    ask_seconds: float
    """The wait of an ask for a gateway that does not answer at all."""
    delivery_seconds: float
    """The time to deliver the final event before the spool is left to the launcher."""

    @property
    def github_token_url(self) -> str | None:
        """The address of new GitHub tokens, beside that of the webhooks."""
        root, found, _ = (self.webhook_url or "").rpartition("/webhooks/agent")
        query = f"taskId={quote(self.task_id)}&attempt={self.attempt}"
        return f"{root}/agent/github-token?{query}" if found else None

    @classmethod
    def from_environ(cls, environ: Mapping[str, str]) -> "Connection":
        """Raises `Problems` with every variable that is missing or malformed."""
        return _checked(environ, _connection)


class ModelAccess(msgspec.Struct, frozen=True, kw_only=True):
    provider: str
    name: str
    key: Secret | None
    base_url: str | None
    api: ModelApi | None = None
    """None: Responses for OpenAI's own models, chat completions for all others of its protocol."""
    prices: Mapping[str, ModelPrice] = msgspec.field(default_factory=dict)
    """Pattern of a model's name → its price, which the operator gives."""

    @property
    def secret_key(self) -> Secret:
        return self.key or Secret("")


class Configuration(msgspec.Struct, frozen=True, kw_only=True):
    connection: Connection
    repository_url: str
    base_branch: str | None
    branch: str
    prompt: str
    prompt_url: str | None
    resume_url: str | None
    """The address of an earlier attempt's patch, if there is one to go on from."""
    title: str | None
    issues: str
    """Addresses of issues that the task's metadata names."""
    model: ModelAccess | None
    agent: AgentChoice
    continuation: Continuation | None
    checks: tuple[tuple[str, ...], ...] | None
    """Argument lists to validate with; None: those that the repository declares."""
    github_token: GitHubToken | None
    github_api_url: str
    github_api_is_given: bool
    run_seconds: float
    snapshot: str
    author: tuple[str, str]
    signing_key: Secret | None
    """An SSH key for commits."""
    pull_requests: str
    """`draft`, or `ready` for complete work."""
    keep_alive: bool

    @classmethod
    def from_environ(cls, environ: Mapping[str, str]) -> "Configuration":
        """Raises `Problems` with every variable that is missing or malformed."""
        return _checked(environ, _configuration)


def _checked(environ: Mapping[str, str], read: Callable[[Variables], T]) -> T:
    variables = Variables(environ)
    result = read(variables)
    if variables.problems:
        raise Problems(variables.problems)
    return result


def _connection(variables: Variables) -> Connection:
    task_id = variables.required("SLIPGATE_TASK_ID", "TASK_ID")
    attempt = int(variables.number("SLIPGATE_ATTEMPT", 1, low=1, high=1_000_000))
    name = f"slipgate-{_SAFE_NAME.sub('_', task_id)[:80]}-{attempt}"
    return Connection(
        task_id=task_id,
        attempt=attempt,
        workspace_id=variables.text("WORKSPACE_ID") or "",
        state_directory=Path(variables.text("SLIPGATE_STATE_DIR") or f"/tmp/{name}"),  # noqa: S108 - made private or refused by StateDirectory
        webhook_url=variables.url("SLIPGATE_WEBHOOK_URL"),
        webhook_secret=_webhook_secret(variables),
        flat_url=variables.secret("WEBHOOK_URL"),
        traceparent=variables.text("TRACEPARENT"),
        ask_seconds=variables.number("SLIPGATE_ASK_SECONDS", 90, low=0, high=3600),
        delivery_seconds=variables.number("SLIPGATE_DELIVERY_SECONDS", 120, low=0, high=3600),
    )


def _webhook_secret(variables: Variables) -> Secret | None:
    secret = variables.secret("SLIPGATE_WEBHOOK_SECRET")
    if secret is not None:
        try:
            Signer(secret)
        except ValueError as exc:
            variables.problems.append(f"SLIPGATE_WEBHOOK_SECRET: {exc}")
    return secret


def _configuration(variables: Variables) -> Configuration:
    agent, checks = _agent(variables), _checks(variables)
    snapshot = variables.text("SLIPGATE_SNAPSHOT") or variables.text("DAYTONA_SANDBOX_SNAPSHOT")
    author = variables.text("GIT_AUTHOR_NAME") or "slipgate"
    email = variables.text("GIT_AUTHOR_EMAIL") or "slipgate@users.noreply.github.com"
    return Configuration(
        connection=_connection(variables),
        repository_url=variables.required("TARGET_REPO"),
        base_branch=variables.text("BASE_BRANCH"),
        branch=variables.required("BRANCH_NAME"),
        prompt=variables.required("AGENT_PROMPT"),
        prompt_url=variables.url("SLIPGATE_PROMPT_URL"),
        resume_url=variables.url("SLIPGATE_RESUME_URL"),
        title=variables.text("SLIPGATE_TITLE"),
        issues=variables.text("SLIPGATE_ISSUES") or "",
        model=_model(variables, agent),
        agent=agent,
        continuation=_continuation(variables),
        checks=checks,
        github_token=_github_token(variables),
        github_api_url=variables.url("GITHUB_API_URL") or GITHUB_API_URL,
        github_api_is_given=variables.text("GITHUB_API_URL") is not None,
        run_seconds=variables.number(
            "SLIPGATE_RUN_SECONDS", DEFAULT_RUN_SECONDS, low=1, high=86_400
        ),
        snapshot=snapshot or "",
        author=(author, email),
        signing_key=variables.secret("SLIPGATE_SIGNING_KEY"),
        pull_requests=variables.choice("SLIPGATE_PULL_REQUESTS", PULL_REQUESTS) or "draft",
        keep_alive=variables.flag("KEEP_ALIVE"),
    )


def _github_token(variables: Variables) -> GitHubToken | None:
    token = variables.token("GITHUB_TOKEN")
    expires_at = variables.moment("SLIPGATE_GITHUB_TOKEN_EXPIRES_AT")
    return None if token is None else GitHubToken(token.value, expires_at=expires_at)


def _agent(variables: Variables) -> AgentChoice:
    wanted = (
        '{"engine": "mini"|"claude-code"|"codex"|"opencode"|"command", '
        '"command": [...]|null, "maxTurns": n, "maxCostUsd": n|null, '
        '"effort": "low"|"medium"|"high"|null, "maxRepairRounds": n}'
    )
    agent = variables.json("SLIPGATE_AGENT", AgentChoice, wanted) or AgentChoice()
    if agent.engine == "command" and not agent.command:
        variables.problems.append("SLIPGATE_AGENT: engine command needs a command")
    return agent


def _continuation(variables: Variables) -> Continuation | None:
    wanted = '{"branch": "…", "prUrl": "…"|null, "headSha": "…"|null, "requestedBy": "…"|null}'
    continuation = variables.json("SLIPGATE_CONTINUE", Continuation, wanted)
    if continuation is not None and continuation.branch != variables.text("BRANCH_NAME"):
        variables.problems.append("SLIPGATE_CONTINUE: its branch must be BRANCH_NAME")
    return continuation


def _checks(variables: Variables) -> tuple[tuple[str, ...], ...] | None:
    wanted = "a JSON list of argument lists"
    checks = variables.json("SLIPGATE_VALIDATE", tuple[tuple[str, ...], ...], wanted)
    if any(not command for command in checks or ()):
        variables.problems.append("SLIPGATE_VALIDATE must not hold an empty argument list")
    return checks


def _model(variables: Variables, agent: AgentChoice) -> ModelAccess | None:
    choices = PROVIDERS_OF_ENGINE.get(agent.engine, tuple(PROVIDERS))
    provider = variables.choice("MODEL_PROVIDER", choices)
    is_needed = agent.engine != "command"
    if is_needed and variables.text("MODEL_PROVIDER") is None:
        variables.problems.append("MODEL_PROVIDER must be set")
    if is_needed and variables.text("MODEL") is None:
        variables.problems.append("MODEL must be set")
    prefix = PROVIDERS.get(provider or "")
    if provider is None or prefix is None:
        return None
    prices = variables.json("SLIPGATE_MODEL_PRICES", dict[str, ModelPrice], PRICES_FORM)
    key_name = f"{prefix}_API_KEY"
    key = variables.token(key_name)
    if is_needed and key is None:
        variables.problems.append(f"{key_name} must be set for the provider {provider}")
    return ModelAccess(
        provider=provider,
        name=variables.text("MODEL") or "",
        key=key,
        base_url=variables.url(f"{prefix}_BASE_URL"),
        api=cast("ModelApi | None", variables.choice("SLIPGATE_MODEL_API", get_args(ModelApi))),
        prices=prices or {},
    )
