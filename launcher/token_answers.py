"""Answers agents whose GitHub token ends: the gateway hands their requests to this launcher."""

import asyncio
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final

from structlog.typing import FilteringBoundLogger

from gateway.wire.github_tokens import TokenAnswer, TokenRequest, WantedTokens
from gateway.wire.launcher import LaunchError
from gateway.wire.truncation import head_and_tail
from launcher.client import NOTE_LENGTH, Client, GatewayRejected, GatewayUnreachable, Sleep
from launcher.github_app import GitHubApp
from launcher.providers.protocol import ProviderError

WAIT_SECONDS: Final = 20.0
"""Limit of a call that the gateway holds because no agent asks."""
PAUSE_SECONDS: Final = 5.0
"""After a call that was rejected or not answered."""
UNKNOWN_ROUTE: Final = 404
"""Of a gateway that is one version older, whose agents do not ask."""


@dataclass(frozen=True, slots=True)
class TokenAnswers:
    """One loop beside the launcher's own."""

    client: Client
    app: GitHubApp
    launcher_id: str
    log: FilteringBoundLogger
    sleep: Sleep

    async def run(self) -> None:
        """Until it is cancelled, or the gateway knows no such requests."""
        wanted = WantedTokens(launcher_id=self.launcher_id, wait_seconds=WAIT_SECONDS)
        while True:
            try:
                requests = await self.client.token_requests(wanted)
            except (GatewayRejected, GatewayUnreachable) as error:
                self.log.warning("token_requests", outcome="refused", reason=str(error))
                if isinstance(error, GatewayRejected) and error.status == UNKNOWN_ROUTE:
                    return
                await self.sleep(PAUSE_SECONDS)
                continue
            await asyncio.gather(*map(self._answer, requests))

    async def _answer(self, request: TokenRequest) -> None:
        answer = await self._made(request)
        outcome = answer.error.code if answer.error else "made"
        try:
            await self.client.answer_token(request.id, answer)
        except (GatewayRejected, GatewayUnreachable) as error:
            outcome = f"unreported {error}"
        emit = self.log.info if outcome == "made" else self.log.warning
        emit("github_token", outcome=outcome, task=request.task_id, attempt=request.attempt)

    async def _made(self, request: TokenRequest) -> TokenAnswer:
        """A token that was made just now: the agent may ask because an older one was refused."""
        try:
            token = await self.app.token(request.repo_url, is_new=True)
        except ProviderError as error:
            message = head_and_tail(error.message, NOTE_LENGTH)
            failure = LaunchError(code=error.code, message=message, retryable=error.retryable)
            return TokenAnswer(error=failure)
        ends = datetime.fromtimestamp(token.expires_at / 1000, UTC)
        return TokenAnswer(token=token.value, expires_at=ends)
