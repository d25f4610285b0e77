"""What the handlers work with; the composition root makes it once."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Final, TypeVar

from starlette.requests import Request

from gateway.domain.deliveries.endpoint import Endpoint
from gateway.domain.kernel.answers import Answer
from gateway.domain.kernel.commands import Command
from gateway.domain.kernel.keyring import Keyring
from gateway.domain.kernel.policy import Policy
from gateway.metrics import GatewayStats, Metrics
from gateway.notifier import Notifier
from gateway.store.protocol import Reads
from gateway.store.records import DeliveryAttempt
from gateway.web.http.admission import Admission
from gateway.web.http.auth import Keys
from gateway.web.http.pages import Pages

A = TypeVar("A")

DEFAULT_MODELS: Final = {
    "openai": "gpt-5",
    "anthropic": "claude-sonnet-4-5",
    "openrouter": "openai/gpt-5",
}
"""What a task gets that names a provider and no model."""


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
    lease_seconds: int
    clock: Callable[[], int]
    """Milliseconds since the epoch."""
    metrics: Metrics
    random_bits: Callable[[], int]
    """74 of them, for ids."""
    nonce: Callable[[], bytes]
    """12 bytes, never the same twice."""
    secret: Callable[[], bytes]
    """32 bytes that nobody can guess."""
    may_be_public: Callable[[str], bool]
    """Whether a host is not plainly one of ours; a name is only known when it is called."""
    try_endpoint: Callable[[Endpoint, str, bytes], Awaitable[DeliveryAttempt]]
    """Sends one webhook (id, body) to an endpoint, and says what came of it."""
    is_healthy: Callable[[], bool]
    """Whether the loops move."""
    is_draining: Callable[[], bool]
    commits: Callable[[], Awaitable[object]]
    """Whether the store does; raises `Unavailable`."""
    stats: Callable[[], Awaitable[GatewayStats]]
    """How everything stands, for those who watch over it."""
    admission: Admission
    log_dropped: Callable[[], int]
    """Lines of the log that could not be written, since the start."""
    pages: Pages = field(default_factory=Pages)
    public_url: str | None = None
    daytona_secrets: tuple[bytes, ...] = field(default=(), repr=False)
    github_secrets: tuple[bytes, ...] = field(default=(), repr=False)
    """With which these services sign; any of several, during a rotation."""
    snapshot: str = ""
    allowed_repos: tuple[str, ...] = ()
    allow_file_repos: bool = False
    allow_private_endpoints: bool = False
    workspace_wait_seconds: int = 20
    """How long `POST /workspace` waits for its sandbox."""

    async def ask(self, command: Command, kind: type[A]) -> A:
        """Submits a command whose answer is known to be of this kind."""
        answer = await self.submit(command)
        if not isinstance(answer, kind):
            raise TypeError(f"{type(command).__name__} was answered by {type(answer).__name__}")
        return answer


def context_of(request: Request) -> Context:
    """The context of the application this request came to."""
    context: Context = request.app.context
    return context
