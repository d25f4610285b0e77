"""What every job works with, and how it speaks about sandboxes."""

import asyncio
import time
from collections.abc import Mapping
from dataclasses import dataclass, field

from gateway.wire.launcher import Job, JobSandbox, LaunchError, ReportedState, Sandbox
from gateway.wire.truncation import head_and_tail
from launcher.client import NOTE_LENGTH, Client, Clock, Sleep
from launcher.providers.github_actions import GitHubActions
from launcher.providers.protocol import Key, Provider, ProviderError, SandboxStatus


@dataclass(frozen=True, kw_only=True, slots=True)
class LauncherContext:
    """The launcher's means, the same for all jobs."""

    client: Client
    providers: tuple[Provider, ...]
    forwarded_env: Mapping[str, str] = field(repr=False)
    """The launcher's own variables that sandboxes may get."""
    github_actions: GitHubActions | None = None
    """Who does the jobs in our place; then there are no providers."""
    clock: Clock = time.monotonic
    sleep: Sleep = asyncio.sleep

    @property
    def provider_realms(self) -> tuple[str, ...]:
        """Where we can do jobs, as a claim says it."""
        if self.github_actions is not None:
            return self.github_actions.provider_realms
        return tuple(f"{each.name}@{each.realm}" for each in self.providers)

    @property
    def name(self) -> str:
        """Who could not, where a job does not say it."""
        return self.github_actions.name if self.github_actions else self.providers[0].name

    def chain_for(self, job: Job) -> tuple[Provider, ...]:
        """The providers to try in order, all of one realm: a name is an idempotency key within it
        alone. Raises `ProviderError`."""
        first = self.provider_of(job)
        others = (each for each in self.providers if each is not first)
        return (first, *(each for each in others if each.realm == first.realm))

    def provider_of(self, job: Job) -> Provider:
        """The one the job's sandbox lives with, else the first; raises `ProviderError`."""
        if job.sandbox is None or job.sandbox.provider is None:
            return self.providers[0]
        realm = job.sandbox.realm or ""
        for provider in self.providers:
            if (provider.name, provider.realm) == (job.sandbox.provider, realm):
                return provider
        raise ProviderError(
            "realm_missing",
            f"this launcher is not in {job.sandbox.provider}@{realm}",
            retryable=True,
        )


def sandbox_of(job: Job) -> JobSandbox:
    """The sandbox a job names; raises `ProviderError` when it names none."""
    if job.sandbox is None:
        raise ProviderError("invalid_job", "the job names no sandbox", retryable=False)
    return job.sandbox


def key_of(job: Job) -> Key:
    """How the job's sandbox is found."""
    sandbox = sandbox_of(job)
    return Key(instance=job.instance_id, name=sandbox.name, id=sandbox.id, snapshot=job.snapshot)


def check_labels(job: Job, found: SandboxStatus) -> None:
    """Raises `ProviderError` if the sandbox is another one that took the name."""
    if any(found.labels.get(name) != value for name, value in job.labels.items()):
        raise ProviderError("labels_differ", "the sandbox carries other labels", retryable=False)


def sandbox_report(
    provider: Provider, found: SandboxStatus, state: ReportedState | None = None
) -> Sandbox:
    """A sandbox for a report, with its own state or another."""
    return Sandbox(
        id=found.id,
        name=found.key.name,
        provider=provider.name,
        realm=provider.realm,
        snapshot=found.snapshot,
        state=state or found.state,
    )


def absent_report(provider: Provider, job: Job, state: ReportedState) -> Sandbox:
    """A sandbox for a report that is not there."""
    sandbox = sandbox_of(job)
    return Sandbox(
        id=sandbox.id or sandbox.name,
        name=sandbox.name,
        provider=provider.name,
        realm=provider.realm,
        snapshot=job.snapshot,
        state=state,
    )


def launch_error(error: ProviderError, provider: str) -> LaunchError:
    """A provider's no, in the protocol's words."""
    return LaunchError(
        code=error.code,
        message=head_and_tail(error.message, NOTE_LENGTH),
        retryable=error.retryable,
        provider=provider,
    )


def diagnosis(
    skipped: int, log: str = "", *, reason: str | None = None, problem: str | None = None
) -> str | None:
    """A word for the task's owner about lines of a spool that were no webhooks, about a spool that
    could not be read, and about how its sandbox and its agent ended."""
    words = [reason, problem]
    if skipped:
        words.append(f"{skipped} lines of the spool are no webhooks or too long; skipped")
    if log.strip():
        words.append(f"it printed last: {log.strip()}")
    return head_and_tail("; ".join(filter(None, words)), NOTE_LENGTH) or None
