"""`github-actions`: delegates jobs to a launcher that a workflow starts, where Daytona's key is.

It has no realm of its own. A realm is where a sandbox's name is unique and its absence provable
(lifecycle: Fencing): here that is Daytona's organisation. In a realm of its own nobody could ever
report `gone`, so the next attempt would wait forever, and the workflow's launcher, which reports
`trying` in Daytona's realm, would be refused a second launch of the attempt. So this one claims in
the realm of the workflow's launcher (`SLIPGATE_REALM`, the same in both) and reports no sandbox
itself. Every job it gets is delegated, and the run claims that very job: leases, fences and reports
are the usual ones. Other launchers of the realm may take the same jobs.

A run costs a minute, and a sweep only finds what went wrong: sweeps run once an hour.
"""

import asyncio
import time
from dataclasses import KW_ONLY, dataclass, field
from typing import ClassVar, Final

import httpx
import msgspec

from launcher.client import Client, Clock, Sleep
from launcher.github import decoded, is_rate_limited, message_of
from launcher.providers.protocol import ProviderError, unavailable
from launcher.providers.retry_after import seconds_to_wait
from launcher.settings import GitHubActionsSettings

WORKFLOW_PROVIDERS: Final = ("daytona-cli", "daytona-api")
"""SLIPGATE_PROVIDERS of the workflow's launcher."""
CALL_SECONDS: Final = 15.0
PAUSES_SECONDS: Final = (1.0, 3.0, 10.0, 30.0)
"""Between attempts; a second run is harmless, for only one can claim the job."""
LONGEST_WAIT: Final = 90.0
"""For a rate limit (seconds): four end before the gateway offers the job again."""
SWEEP_SECONDS: Final = 3_600.0


class _Run(msgspec.Struct, frozen=True, kw_only=True):
    html_url: str = ""


NEEDS_CALLBACKS: Final = (
    "with github-actions every look at a spool is a run of the workflow, of a minute at least"
)
NEEDED_URL: Final = (
    "Set SLIPGATE_PUBLIC_URL of the gateway to an address that sandboxes reach (a tunnel will do)."
)


async def require_callbacks(client: Client) -> None:
    """Raises `ProviderError` if the gateway has no public URL: it would have each spool read every
    5 s for as long as a task runs."""
    if (await client.gateway()).public_url is None:
        message = f"The gateway has no public URL: {NEEDS_CALLBACKS}. {NEEDED_URL[:-1]}"
        raise ProviderError("provider_refused", message)


@dataclass(slots=True)
class GitHubActions:
    """One workflow of one repository."""

    name: ClassVar = "github-actions"

    http: httpx.AsyncClient
    settings: GitHubActionsSettings
    _: KW_ONLY
    sleep: Sleep = asyncio.sleep
    clock: Clock = time.monotonic
    _swept_at: float | None = field(default=None, init=False)

    @property
    def provider_realms(self) -> tuple[str, ...]:
        return tuple(f"{name}@{self.settings.realm}" for name in WORKFLOW_PROVIDERS)

    @property
    def workflow(self) -> str:
        return f"{self.settings.workflow} of {self.settings.repository}"

    async def start(self, job_id: str) -> str:
        """Dispatches a run that claims this job; returns its address, if GitHub sends one."""
        for pause in PAUSES_SECONDS:
            try:
                return await self._dispatch(job_id)
            except ProviderError as error:
                if not error.retryable or error.retry_after > LONGEST_WAIT:
                    raise
                await self.sleep(max(pause, error.retry_after))
        return await self._dispatch(job_id)

    def check_sweep(self) -> None:
        """Raises `ProviderError` if there was one within the hour."""
        now = self.clock()
        if self._swept_at is not None and now < self._swept_at + SWEEP_SECONDS:
            raise unavailable("sweeps by GitHub Actions are asked for once an hour")
        self._swept_at = now

    async def _dispatch(self, job_id: str) -> str:
        body: dict[str, object] = {"ref": self.settings.ref, "inputs": {"job": job_id}}
        response = await self._post({**body, "return_run_details": True})
        if response.status_code == 400:  # an older server does not know that field
            response = await self._post(body)
        if response.is_success:
            return decoded(response, _Run).html_url  # 204 has no body
        raise _error(response, self.workflow, self.settings.ref)

    async def _post(self, body: dict[str, object]) -> httpx.Response:
        workflow = f"/repos/{self.settings.repository}/actions/workflows/{self.settings.workflow}"
        content = msgspec.json.encode(body)
        try:
            return await self.http.post(
                f"{workflow}/dispatches", content=content, timeout=CALL_SECONDS
            )
        except httpx.RequestError as error:
            raise unavailable(f"GitHub: no answer ({type(error).__name__})") from error


_ADVICE: Final = {
    401: "SLIPGATE_GITHUB_ACTIONS_TOKEN is wrong, or has expired",
    403: "The token needs the repository permission Actions: read and write",
    404: "The token sees no {workflow}: put snapshot/github-workflow.yml there, under "
    ".github/workflows/ of the default branch, and give the token that repository",
    422: "Is {workflow} the snapshot/github-workflow.yml of this release, enabled, and on the "
    "branch {ref} (SLIPGATE_GITHUB_ACTIONS_REF)?",
}
_OTHER_ADVICE: Final = "Look at SLIPGATE_GITHUB_ACTIONS_REPO and SLIPGATE_GITHUB_ACTIONS_API_URL"


def _error(response: httpx.Response, workflow: str, ref: str) -> ProviderError:
    status = response.status_code
    message = f"GitHub: {message_of(response) or f'HTTP {status}'}"
    if is_rate_limited(response):
        wait = seconds_to_wait(response.headers)
        return ProviderError("provider_quota", message, retryable=True, retry_after=wait)
    if status == 408 or status >= 500:
        return unavailable(message)
    code = "provider_auth" if status in (401, 403) else "provider_refused"
    advice = _ADVICE.get(status, _OTHER_ADVICE).format(workflow=workflow, ref=ref)
    return ProviderError(code, f"{message}. {advice}")
