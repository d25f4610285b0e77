"""`github-actions`: the jobs are done by a launcher that a workflow starts (Daytona's CLI and key
are there and not here); this one claims them, asks for a run, and lets go.

It has no realm of its own. A realm is where a sandbox's name is unique and its absence provable
(lifecycle: Fencing); that is Daytona's organisation, whoever calls it. With a realm of its own the
attempt would be promised to a place where nobody can ever say `gone`: its next attempt would wait
for good, and a second launch of the same attempt would be refused to the workflow, whose launcher
says `trying` in Daytona's. So this one claims in the places that the workflow's launcher has
(`SLIPGATE_REALM`, the same in both), and says nothing about a sandbox itself: no `trying`, no
`gone`. What it is given, of every kind, is delegated, and the run claims that very job: leases,
fences and reports are those of everywhere. Whoever else serves that realm may take the same jobs.

A run costs a minute, and a sweep only finds what went wrong: sweeps are asked for once an hour.
"""

import asyncio
import time
from typing import Final

import httpx
import msgspec

from gateway.wire.truncation import head_and_tail
from launcher.client import Clock, Sleep
from launcher.egress import DIRECT, Egress
from launcher.providers.protocol import ProviderError
from launcher.providers.retry_after import seconds_to_wait

WORKFLOW_PROVIDERS: Final = ("daytona-cli", "daytona-api")
"""Providers of the workflow's launcher: its SLIPGATE_PROVIDERS."""
CALL_SECONDS: Final = 15.0
PAUSES_SECONDS: Final = (1.0, 3.0, 10.0, 30.0)
"""Between tries; a run asked for twice is harmless, for only one of them can claim."""
LONGEST_WAIT: Final = 90.0
"""For a limit (seconds): four of them end before the gateway offers the job again."""
SWEEP_SECONDS: Final = 3_600.0
_MESSAGE_LENGTH: Final = 300


class _Run(msgspec.Struct, frozen=True, kw_only=True):
    """The run that was started, where GitHub tells it."""

    html_url: str = ""


class _Complaint(msgspec.Struct, frozen=True, kw_only=True):
    """The body of a refusal."""

    message: str = ""


class GitHubActions:
    """One workflow of one repository."""

    name: Final = "github-actions"

    def __init__(
        self,
        http: httpx.AsyncClient,
        *,
        repository: str,
        workflow: str,
        ref: str,
        realm: str,
        sleep: Sleep = asyncio.sleep,
        clock: Clock = time.monotonic,
    ) -> None:
        self.provider_realms = tuple(f"{name}@{realm}" for name in WORKFLOW_PROVIDERS)
        self.workflow = f"{workflow} of {repository}"
        self._http = http
        self._path = f"/repos/{repository}/actions/workflows/{workflow}/dispatches"
        self._ref = ref
        self._sleep = sleep
        self._clock = clock
        self._swept_at: float | None = None

    async def start(self, job_id: str) -> str:
        """Asks for a run that claims this job; its address, or nothing where GitHub tells none.

        Raises:
            ProviderError: it will not start one, or does not answer.
        """
        for pause in PAUSES_SECONDS:
            wait = 0.0
            try:
                return await self._dispatch(job_id)
            except ProviderError as error:
                if not error.retryable or error.retry_after > LONGEST_WAIT:
                    raise
                wait = error.retry_after
            await self._sleep(max(pause, wait))
        return await self._dispatch(job_id)

    def check_sweep(self) -> None:
        """Raises `ProviderError` if one was asked for within the hour."""
        now = self._clock()
        if self._swept_at is not None and now < self._swept_at + SWEEP_SECONDS:
            message = "sweeps by GitHub Actions are asked for once an hour"
            raise ProviderError("provider_unavailable", message, retryable=True)
        self._swept_at = now

    async def _dispatch(self, job_id: str) -> str:
        wanted: dict[str, object] = {"ref": self._ref, "inputs": {"job": job_id}}
        response = await self._post({**wanted, "return_run_details": True})
        if response.status_code == 400:  # an older server that does not know that field
            response = await self._post(wanted)
        if response.is_success:
            return _run(response)
        raise _refusal(response, self.workflow, self._ref)

    async def _post(self, body: dict[str, object]) -> httpx.Response:
        try:
            return await self._http.post(
                self._path, content=msgspec.json.encode(body), timeout=CALL_SECONDS
            )
        except httpx.TransportError as error:
            raise _unavailable(f"no answer ({type(error).__name__})") from error


def open_github(url: str, token: str, *, egress: Egress = DIRECT) -> httpx.AsyncClient:
    """The connection; no proxy of the environment sees the token."""
    headers = {
        "authorization": f"Bearer {token}",
        "accept": "application/vnd.github+json",
        "content-type": "application/json",
        "user-agent": "slipgate",
        "x-github-api-version": "2022-11-28",
    }
    return egress.client(base_url=url, headers=headers)


def _run(response: httpx.Response) -> str:
    """204 says nothing, 200 tells the run."""
    try:
        return msgspec.json.decode(response.content, type=_Run).html_url
    except msgspec.DecodeError:
        return ""


def _refusal(response: httpx.Response, workflow: str, ref: str) -> ProviderError:
    status = response.status_code
    said = f"GitHub: {_message(response) or f'HTTP {status}'}"
    if status == 429 or (status == 403 and _is_limited(response)):
        wait = seconds_to_wait(response.headers)
        return ProviderError("provider_quota", said, retryable=True, retry_after=wait)
    if status == 408 or status >= 500:
        return ProviderError("provider_unavailable", said, retryable=True)
    code = "provider_auth" if status in (401, 403) else "provider_refused"
    return ProviderError(code, f"{said}. {_advice(status, workflow, ref)}", retryable=False)


def _advice(status: int, workflow: str, ref: str) -> str:
    match status:
        case 401:
            return "SLIPGATE_GITHUB_ACTIONS_TOKEN is wrong, or has expired"
        case 403:
            return "The token needs the repository permission Actions: read and write"
        case 404:
            return (
                f"The token sees no {workflow}: put snapshot/github-workflow.yml there, under "
                ".github/workflows/ of the default branch, and give the token that repository"
            )
        case 422:
            return (
                f"Is {workflow} the snapshot/github-workflow.yml of this release, enabled, and on "
                f"the branch {ref} (SLIPGATE_GITHUB_ACTIONS_REF)?"
            )
        case _:
            return "Look at SLIPGATE_GITHUB_ACTIONS_REPO and SLIPGATE_GITHUB_ACTIONS_API_URL"


def _is_limited(response: httpx.Response) -> bool:
    """GitHub's limits come as 403, too."""
    is_used_up = response.headers.get("x-ratelimit-remaining") == "0"
    return is_used_up or "retry-after" in response.headers


def _message(response: httpx.Response) -> str:
    try:
        message = msgspec.json.decode(response.content, type=_Complaint).message
    except (msgspec.DecodeError, UnicodeDecodeError):
        return ""
    return head_and_tail(" ".join(message.split()), _MESSAGE_LENGTH).rstrip(".")


def _unavailable(message: str) -> ProviderError:
    return ProviderError("provider_unavailable", f"GitHub: {message}", retryable=True)
