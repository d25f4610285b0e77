"""The collaborators of the handlers; the composition root makes them once."""

from collections.abc import Awaitable, Callable
from concurrent.futures import Executor
from dataclasses import dataclass, field
from typing import Final, TypeVar

from starlette.types import Scope

from gateway.domain.decide import decide
from gateway.domain.deliveries.endpoint import Endpoint
from gateway.domain.kernel.answers import Answer
from gateway.domain.kernel.ids import typeid
from gateway.domain.kernel.keyring import Keyring
from gateway.domain.kernel.policy import Policy
from gateway.domain.kernel.read_set import Command
from gateway.domain.kernel.sealing import Sealed
from gateway.domain.operations.bulk import MOST_TASKS
from gateway.domain.operations.status import Danger, DiskState
from gateway.metrics.registry import Metrics
from gateway.metrics.stats import GatewayStats
from gateway.notifier import Notifier
from gateway.store.protocol import Reads
from gateway.store.records import DeliveryAttempt
from gateway.web.http.admission import Admission
from gateway.web.http.auth import Keys
from gateway.web.http.feed_pages import Pages
from gateway.web.http.used_tokens import UsedTokens
from gateway.web.launching.waiting_tokens import WaitingTokens
from gateway.web.operations.recent_history import RecentHistory

A = TypeVar("A")

DEFAULT_MODELS: Final = {
    "openai": "gpt-5",
    "anthropic": "claude-sonnet-4-5",
    "google": "gemini-2.5-pro",
    "openrouter": "openai/gpt-5",
}
"""Models of tasks that name a provider alone."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Context:
    """Collaborators and the few settings that requests depend on."""

    submit: Callable[[Command], Awaitable[Answer]]
    notifier: Notifier
    reads: Reads
    keys: Keys
    keyring: Keyring
    policy: Policy
    instance_id: str
    clock: Callable[[], int]
    """Milliseconds since the epoch."""
    metrics: Metrics
    random_bits: Callable[[], int]
    """74 of them, for ids."""
    nonce: Callable[[], bytes]
    """12 unique bytes."""
    secret: Callable[[], bytes]
    """32 random bytes."""
    may_be_public: Callable[[str], bool]
    is_loopback: Callable[[str], bool]
    """False for a host that is plainly private; a name is resolved only when it is called."""
    try_endpoint: Callable[[Endpoint, str, bytes], Awaitable[DeliveryAttempt]]
    """Sends one webhook (id, body) to an endpoint, once."""
    is_healthy: Callable[[], bool]
    """True while the loops run."""
    is_draining: Callable[[], bool]
    commits: Callable[[], Awaitable[object]]
    """Returns if the store commits; raises `Unavailable`."""
    stats: Callable[[], Awaitable[GatewayStats]]
    history: RecentHistory
    admission: Admission
    waiting_tokens: WaitingTokens
    thread: Executor
    """One thread for work on long bodies: of several, each would have its turn of 5 ms before the
    event loop has one."""
    disk: Callable[[], DiskState]
    gateways: Callable[[], int]
    """The gateways of the database; 0 while this one has no session."""
    log_dropped: Callable[[], int]
    """Log lines that could not be written since the start."""
    dangers: tuple[Danger, ...]
    """Of the place it runs in."""
    pages: Pages = field(default_factory=Pages)
    used_tokens: UsedTokens = field(default_factory=UsedTokens)
    public_url: str | None
    daytona_secrets: tuple[bytes, ...] = field(repr=False)
    github_secrets: tuple[bytes, ...] = field(repr=False)
    """Secrets these services sign with; any of several, during a rotation."""
    follow_ups: frozenset[str]
    """Messages of GitHub that become tasks: `comment`, `review`, `check`."""
    follow_up_limit: int
    """Of one pull request."""
    bulk_limit: int = MOST_TASKS
    """Tasks of one bulk action."""
    preview_limit: int = 5_000
    """Tasks that the dashboard counts before one: more would take longer than a page may."""
    snapshot: str
    portal_origins: tuple[str, ...]
    """Origins whose pages may show the portal in a frame."""
    allowed_repos: tuple[str, ...]
    allow_file_repos: bool
    allow_private_endpoints: bool
    allow_loopback_endpoints: bool
    workspace_wait_seconds: int
    """Longest wait of `POST /workspace` for its sandbox."""

    def new_id(self, prefix: str) -> str:
        return typeid(prefix, self.clock(), self.random_bits())

    def seal(self, plain: bytes, purpose: str) -> Sealed:
        """Encrypts a secret that is opened for the same purpose alone."""
        return self.keyring.seal(plain, context=purpose, nonce=self.nonce())

    async def ask(self, command: Command, kind: type[A]) -> A:
        """Submits a command whose answer is known to be of this kind."""
        return _of_kind(kind, command, await self.submit(command))

    async def dry_run(self, command: Command, kind: type[A]) -> A:
        """The answer that the command would get: its rule decides on a copy that is thrown away."""
        now = self.clock()
        unit = await self.reads.unit_of_work([command.needs], self.policy, now)
        return _of_kind(kind, command, decide(unit, command, now))


def _of_kind(kind: type[A], command: Command, answer: Answer) -> A:
    if not isinstance(answer, kind):
        raise TypeError(f"{type(command).__name__} was answered by {type(answer).__name__}")
    return answer


def context_of(scope: Scope) -> Context:
    """The context of the application this request came to."""
    context: Context = scope["app"].context
    return context
