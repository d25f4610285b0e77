"""New tokens for agents: an agent asks, and a launcher with a GitHub App answers."""

from datetime import datetime
from typing import Annotated

import msgspec

from gateway.wire.launcher import LauncherId, LaunchError
from gateway.wire.message import Reply, Request
from gateway.wire.times import Moment


class GitHubToken(Reply, frozen=True, kw_only=True):
    """A token for the repository of the task alone."""

    token: str
    expires_at: Moment


class WantedTokens(Request, frozen=True, kw_only=True):
    """`POST /v1/launcher/token-requests`: asks for requests of agents."""

    launcher_id: LauncherId
    wait_seconds: Annotated[float, msgspec.Meta(ge=0, le=30)] = 0


class TokenRequest(Reply, frozen=True, kw_only=True):
    """The wish of one attempt."""

    id: str
    repo_url: str
    task_id: str
    attempt: int


class TokenRequests(Reply, frozen=True, kw_only=True):
    """The answer to `WantedTokens`; empty if no request came during the wait."""

    requests: tuple[TokenRequest, ...]


Token = Annotated[
    str,
    msgspec.Meta(pattern=r"^[!-~]{1,1000}$", description="1 to 1,000 visible ASCII characters"),
]


class TokenAnswer(Request, frozen=True, kw_only=True):
    """`POST /v1/launcher/token-requests/{id}`: a token and its end, or the reason for none."""

    token: Token | None = None
    expires_at: Annotated[datetime, msgspec.Meta(tz=True)] | None = None
    error: LaunchError | None = None

    def __post_init__(self) -> None:
        given = (self.token is not None, self.expires_at is not None, self.error is not None)
        if given not in {(True, True, False), (False, False, True)}:
            raise ValueError("give either token and expiresAt, or error")
