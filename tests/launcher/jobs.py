"""Jobs as a gateway sends them."""

from gateway.wire.launcher import Job, JobKind, JobSandbox
from launcher.providers.protocol import Key, SandboxSpec

INSTANCE = "inst_1"
NAME = "slipgate-abc-1"
KEY = Key(instance=INSTANCE, name=NAME)
SANDBOX = JobSandbox(name=NAME)
LABELS = {"slipgate-instance": INSTANCE, "slipgate-task": "task_abc", "slipgate-attempt": "1"}


def a_job(
    kind: JobKind,
    *,
    lease: int = 1,
    lease_seconds: int = 60,
    sandbox: JobSandbox = SANDBOX,
    labels: dict[str, str] = LABELS,
    env: dict[str, str] | None = None,
    spool_offset: int = 0,
    snapshot: str = "slipgate-agent-1",
    rescue: bool = False,
) -> Job:
    """A job of one kind about the one sandbox of these tests."""
    return Job(
        id=f"job_{kind}",
        kind=kind,
        lease_token=f"job_{kind}.{lease}",
        lease_expires_at="2026-09-21T14:13:20.123Z",
        lease_seconds=lease_seconds,
        instance_id=INSTANCE,
        task_id="task_abc",
        attempt=1,
        sandbox=None if kind == "sweep" else sandbox,
        snapshot=snapshot,
        labels=labels,
        env=env or {},
        spool_offset=spool_offset,
        rescue=rescue,
    )


def a_spec(
    env: dict[str, str] | None = None,
    labels: dict[str, str] | None = None,
    *,
    name: str = NAME,
    snapshot: str = "slipgate-agent-1",
) -> SandboxSpec:
    """A spec of the one sandbox of these tests, or of another."""
    key = Key(instance=INSTANCE, name=name)
    return SandboxSpec(key=key, snapshot=snapshot, labels=labels or LABELS, env=env or {})
