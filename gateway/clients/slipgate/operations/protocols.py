"""The protocols of launchers, agents and services: for programs that take their part."""

from collections.abc import Mapping
from typing import Any, Final

from gateway.wire.github_tokens import TokenAnswer, TokenRequests, WantedTokens
from gateway.wire.launcher import (
    Acknowledged,
    Claim,
    Created,
    Delegate,
    Done,
    Ended,
    Failed,
    GatewayView,
    Jobs,
    Lease,
    MayTry,
    Renewed,
    RescuedPiece,
    Trying,
)
from slipgate.declaration import operation
from slipgate.types import Accepted, FlatAccepted, GitHubToken, Prompt, Received, ResumedPatch

_JOB: Final = "/v1/launcher/jobs/{job_id}"


class LauncherProtocol:
    """Calls of launchers, with a key of scope `launcher`; `payload` is the whole body."""

    @operation("GET", "/v1/launcher")
    def get_gateway(self) -> GatewayView:
        """The gateway's identity, and its settings that matter to launchers."""

    @operation("POST", "/v1/launcher/claim")
    def claim_jobs(self, payload: Claim) -> Jobs:
        """Asks for jobs, and waits for them."""

    @operation("POST", f"{_JOB}/renew")
    def renew_lease(self, job_id: str, payload: Lease) -> Renewed:
        """Keeps a job."""

    @operation("POST", f"{_JOB}/trying")
    def report_trying(self, job_id: str, payload: Trying) -> MayTry:
        """Announces a create call."""

    @operation("POST", f"{_JOB}/created")
    def report_created(self, job_id: str, payload: Created) -> Acknowledged:
        """Reports the id of a sandbox."""

    @operation("POST", f"{_JOB}/done")
    def report_done(self, job_id: str, payload: Done) -> Acknowledged:
        """Ends a job with its findings."""

    @operation("POST", f"{_JOB}/failed")
    def report_failed(self, job_id: str, payload: Failed) -> Acknowledged:
        """Ends a job that could not be done."""

    @operation("POST", f"{_JOB}/delegate")
    def delegate_job(self, job_id: str, payload: Delegate) -> Acknowledged:
        """Leaves a job to a launcher that was asked to start."""

    @operation("POST", f"{_JOB}/patch")
    def save_patch(self, job_id: str, payload: RescuedPiece) -> Acknowledged:
        """Saves a piece of the agent's changes, found in its sandbox."""

    @operation("POST", "/v1/launcher/ended")
    def report_ended(self, payload: Ended) -> Acknowledged:
        """Reports processes that have ended."""

    @operation("POST", "/v1/launcher/token-requests")
    def claim_token_requests(self, payload: WantedTokens) -> TokenRequests:
        """Asks for agents that need a GitHub token."""

    @operation("POST", "/v1/launcher/token-requests/{request_id}")
    def answer_token_request(self, request_id: str, payload: TokenAnswer) -> Acknowledged:
        """Gives an agent its token."""


class AgentProtocol:
    """Calls of agents, signed with the `SLIPGATE_WEBHOOK_SECRET` of their attempt."""

    @operation("POST", "/v1/webhooks/agent")
    def send_agent_event(
        self,
        signing_secret: str,
        *,
        type: str,
        data: Mapping[str, Any],
        timestamp: str | None = None,
    ) -> Accepted:
        """Reports an event; `data` names the task and the attempt."""

    @operation("POST", "/v1/hooks/{task_id}/{token}")
    def call_hook(self, task_id: str, token: str, payload: Mapping[str, Any]) -> FlatAccepted:
        """Reports a flat event to a capability URL, unsigned."""

    @operation("GET", "/v1/agent/prompt")
    def prompt(self, signing_secret: str, *, task_id: str, attempt: int) -> Prompt:
        """The whole prompt of an attempt."""

    @operation("GET", "/v1/agent/patch")
    def resumed_patch(self, signing_secret: str, *, task_id: str, attempt: int) -> ResumedPatch:
        """The work of an earlier attempt, with which this one goes on."""

    @operation("GET", "/v1/agent/github-token")
    def github_token(self, signing_secret: str, *, task_id: str, attempt: int) -> GitHubToken:
        """A new token for the repository of the task."""


class ServiceWebhooks:
    """Deliveries of Daytona and GitHub, passed on with the headers they came with."""

    @operation("POST", "/v1/webhooks/daytona")
    def receive_from_daytona(self, payload: bytes, sent_headers: Mapping[str, str]) -> Received:
        """Passes on an event of Daytona."""

    @operation("POST", "/v1/webhooks/github")
    def receive_from_github(self, payload: bytes, sent_headers: Mapping[str, str]) -> Received:
        """Passes on an event of GitHub."""
