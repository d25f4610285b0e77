"""The identity of a job's sandbox: name, provider and realm; other reports are refused."""

from msgspec.structs import replace

from gateway.domain.kernel.errors import ApiError
from gateway.domain.launching.job import Job
from gateway.domain.launching.realm import ProviderRealm, realm_text
from gateway.domain.tasks.task import Attempt, Sandbox
from gateway.domain.tasks.task_change import TaskChange


def sandbox_name(task_id: str, attempt: int) -> str:
    """The name of an attempt's sandbox: the idempotency key of its create call in its realm."""
    return f"slipgate-{task_id[-20:]}-{attempt}"


def check_sandbox(change: TaskChange, job: Job, attempt: Attempt, sandbox: Sandbox) -> None:
    """Checks that the sandbox of a report belongs to its job.

    Raises:
        ApiError: `sandbox_mismatch`, `realm_mismatch` or `provider_mismatch`.
    """
    own = sandbox_name(change.task.id, attempt.number)
    if sandbox.name != own:
        raise wrong_name(own)
    is_moved = attempt.realm is not None and attempt.realm != sandbox.realm
    if is_moved and not attempt.is_gone:
        raise ApiError(
            "realm_mismatch",
            f"The sandbox of this attempt is in {attempt.provider}@{attempt.realm}.",
            hint="Only launchers of that realm can make, find or judge it.",
        )
    if job.kind == "create":
        _check_provider(change, job, (sandbox.provider, sandbox.realm))


def wrong_name(own: str) -> ApiError:
    return ApiError(
        "sandbox_mismatch",
        f"The sandbox of this job is {own}.",
        hint="Use the name the job gives: it is the idempotency key of the create.",
    )


def own_sandbox(change: TaskChange, job: Job, attempt: Attempt) -> Sandbox | None:
    """The sandbox of a `done` that names none: the tried one, else one in the first realm of its
    launcher."""
    if attempt.sandbox is not None:
        return replace(attempt.sandbox, state="started")
    launcher = change.unit.launchers.get(job.leased_by or "")
    if launcher is None:
        return None
    provider, realm = launcher.providers[0]
    name = sandbox_name(change.task.id, attempt.number)
    return Sandbox(name=name, provider=provider, realm=realm, state="started")


def _check_provider(change: TaskChange, job: Job, provider_realm: ProviderRealm) -> None:
    launcher = change.unit.launchers.get(job.leased_by or "")
    if launcher is not None and provider_realm not in launcher.providers:
        raise ApiError(
            "provider_mismatch",
            f"This launcher did not claim with {realm_text(provider_realm)}.",
            hint="Name provider and realm as in `providers` of the claim.",
        )
    wanted = change.task.provider
    if wanted is not None and provider_realm[0] != wanted:
        raise ApiError(
            "provider_mismatch",
            f"This task is for {wanted}.",
            hint="Make its sandbox there, or report that the launch failed.",
        )
