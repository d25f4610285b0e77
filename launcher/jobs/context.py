"""Everything that jobs work with, and the reports about sandboxes that they share."""

import asyncio
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from itertools import chain
from typing import Final

from gateway.wire.launcher import Job, JobSandbox, ReportedState, Sandbox
from gateway.wire.redaction import redact
from gateway.wire.truncation import head_and_tail
from launcher.client import NOTE_LENGTH, Client, Clock, Sleep
from launcher.github_app import GitHubApp
from launcher.providers.github_actions import GitHubActions
from launcher.providers.protocol import Key, Provider, ProviderError, SandboxStatus

SHORTEST_SECRET: Final = 8
"""Shorter values of variables are words like `true`."""
SHOWN: Final = frozenset(
    {
        *("TARGET_REPO", "BASE_BRANCH", "BRANCH_NAME", "TASK_ID", "WORKSPACE_ID"),
        *("MODEL_PROVIDER", "MODEL", "KEEP_ALIVE"),
    }
)
"""Variables of every sandbox that are no secrets, and help to understand an error."""
OURS: Final = "SLIPGATE_"
"""Begins the names of our own, of which the secret ones have a form."""


@dataclass(frozen=True, kw_only=True, slots=True)
class LauncherContext:
    """Collaborators of all jobs; either `providers` or `github_actions` is given."""

    client: Client
    providers: tuple[Provider, ...]
    forwarded_env: Mapping[str, str] = field(repr=False)
    github_actions: GitHubActions | None = None
    github_app: GitHubApp | None = None
    clock: Clock = time.monotonic
    sleep: Sleep = asyncio.sleep

    @property
    def provider_realms(self) -> tuple[str, ...]:
        """`provider@realm` of every job that can be done, as a claim names them."""
        if self.github_actions is not None:
            return self.github_actions.provider_realms
        return tuple(f"{each.name}@{each.realm}" for each in self.providers)

    @property
    def name(self) -> str:
        """Provider named in the failure of a job that names none."""
        return self.github_actions.name if self.github_actions else self.providers[0].name

    def without_secrets(self, job: Job, text: str) -> str:
        """A text of a provider, or of an agent's first process, without the values of the
        sandbox's variables."""
        values = (
            value
            for name, value in chain(self.forwarded_env.items(), job.env.items())
            if len(value) >= SHORTEST_SECRET and name not in SHOWN and not name.startswith(OURS)
        )
        return redact(text, sorted(values, key=len, reverse=True))

    def chain_for(self, job: Job) -> tuple[Provider, ...]:
        """The providers to try in order, all of one realm: a name is an idempotency key only
        within its realm. Raises `ProviderError`."""
        first = self.provider_of(job)
        others = (each for each in self.providers if each is not first)
        return (first, *(each for each in others if each.realm == first.realm))

    def provider_of(self, job: Job) -> Provider:
        """The provider of the job's sandbox, else the first; raises `ProviderError`."""
        if job.sandbox is None or job.sandbox.provider is None:
            return self.providers[0]
        realm = job.sandbox.realm or ""
        for provider in self.providers:
            if (provider.name, provider.realm) == (job.sandbox.provider, realm):
                return provider
        message = f"this launcher is not in {job.sandbox.provider}@{realm}"
        raise ProviderError("realm_missing", message, retryable=True)


def sandbox_of(job: Job) -> JobSandbox:
    """The sandbox that a job names; raises `ProviderError` if it names none."""
    if job.sandbox is None:
        raise ProviderError("invalid_job", "the job names no sandbox")
    return job.sandbox


def key_of(job: Job) -> Key:
    sandbox = sandbox_of(job)
    return Key(instance=job.instance_id, name=sandbox.name, id=sandbox.id, snapshot=job.snapshot)


def check_labels(job: Job, found: SandboxStatus) -> None:
    """Raises `ProviderError` if another sandbox has the name."""
    if any(found.labels.get(name) != value for name, value in job.labels.items()):
        raise ProviderError("labels_differ", "the sandbox carries other labels")


def sandbox_report(
    provider: Provider, found: SandboxStatus, state: ReportedState | None = None
) -> Sandbox:
    return Sandbox(
        id=found.id,
        name=found.key.name,
        provider=provider.name,
        realm=provider.realm,
        snapshot=found.snapshot,
        state=state or found.state,
    )


def gone_report(provider: Provider, job: Job) -> Sandbox:
    """Report of a sandbox that was not found."""
    sandbox = sandbox_of(job)
    return Sandbox(
        id=sandbox.id or sandbox.name,
        name=sandbox.name,
        provider=provider.name,
        realm=provider.realm,
        snapshot=job.snapshot,
        state="gone",
    )


def diagnosis(
    context: LauncherContext,
    job: Job,
    skipped: int,
    log: str = "",
    *,
    reason: str | None = None,
    problem: str | None = None,
) -> str | None:
    """Note for the task's owner: `reason` of the sandbox's state, the agent's `log`, and the
    `skipped` invalid lines of its spool, or the `problem` of reading it."""
    notes = [reason, problem]
    if skipped:
        notes.append(f"{skipped} lines of the spool are no webhooks or too long; skipped")
    if log.strip():
        notes.append(f"it printed last: {log.strip()}")
    text = context.without_secrets(job, "; ".join(filter(None, notes)))
    return head_and_tail(text, NOTE_LENGTH) or None
