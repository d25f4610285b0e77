"""The example task, in the states in which the routes show it."""

from typing import Final

import msgspec

from gateway.wire.deliveries import DeliveryAttemptView, DeliveryView
from gateway.wire.endpoints import EndpointStateView
from gateway.wire.tasks import (
    AgentSpec,
    AgentView,
    AttemptView,
    DeadlineView,
    EventView,
    ExplanationView,
    NewTask,
    Page,
    SandboxView,
    StepView,
    StreamToken,
    TaskView,
    UsageView,
    WholeTaskView,
)

TASK_ID: Final = "task_01k5yb2z7cfkh9dk5qjw9m3x4r"
SANDBOX_NAME: Final = "slipgate-kh9dk5qjw9m3x4r7cyb2-1"
NEW_TASK: Final = NewTask(
    repo_url="https://github.com/acme/widgets",
    prompt="Add a /health endpoint",
    base_branch="main",
    agent=AgentSpec(model="gpt-5", max_cost_usd=2.5),
    validate=(("make", "test"),),
    callback_url="https://app.example/api/hook",
    metadata={"userId": "u_1"},
)
QUEUED: Final = TaskView(
    id=TASK_ID,
    project="default",
    status="queued",
    flag=None,
    attempt=1,
    max_attempts=1,
    title="Add a /health endpoint",
    repo_url="https://github.com/acme/widgets",
    base_branch="main",
    branch_name=f"slipgate/{TASK_ID}",
    prompt="Add a /health endpoint",
    agent=AgentView(
        engine="mini",
        model_provider="openai",
        model="gpt-5",
        max_turns=60,
        max_cost_usd=2.5,
        command=None,
    ),
    snapshot="slipgate-agent-1",
    provider=None,
    sandbox=None,
    stage=None,
    message=None,
    pr_url=None,
    commit_sha=None,
    error=None,
    usage=UsageView(input_tokens=0, output_tokens=0, cost_usd=0.0, turns=0),
    warnings=(),
    cancel_requested_at=None,
    created_at="2026-01-05T09:30:00.000Z",
    started_at=None,
    finished_at=None,
    updated_at="2026-01-05T09:30:00.000Z",
    next_deadline=DeadlineView(at="2026-01-05T09:45:00.000Z", what="queue"),
    task_seq=1,
    metadata={"userId": "u_1"},
)
RUNNING: Final = msgspec.structs.replace(
    QUEUED,
    status="running",
    sandbox=SandboxView(
        id="6f0d", name=SANDBOX_NAME, provider="local", snapshot="slipgate-agent-1", state="started"
    ),
    stage="agent",
    message="turn 7 of 60",
    usage=UsageView(input_tokens=18_230, output_tokens=1_204, cost_usd=0.07, turns=7),
    started_at="2026-01-05T09:30:04.200Z",
    updated_at="2026-01-05T09:32:10.000Z",
    next_deadline=DeadlineView(at="2026-01-05T09:37:10.000Z", what="heartbeat"),
    task_seq=9,
)
CANCELLING: Final = msgspec.structs.replace(
    RUNNING,
    cancel_requested_at="2026-01-05T09:32:11.000Z",
    updated_at="2026-01-05T09:32:11.000Z",
    next_deadline=DeadlineView(at="2026-01-05T09:33:11.000Z", what="cancel"),
    task_seq=10,
)
EXPLANATION: Final = ExplanationView(
    status="running",
    summary=(
        "running, silent since 09:32 (6 min); its agent was in stage agent: “turn 7 of 60”; "
        "its sandbox is alive (inspected at 09:37); at 10:30 it times out"
    ),
    waiting_for="its agent to speak again",
    next=(
        StepView(
            at="2026-01-05T09:42:10.000Z",
            what="heartbeat clock: its sandbox is inspected again, unless its agent speaks",
        ),
        StepView(at="2026-01-05T10:30:04.200Z", what="run clock: inspected, then timed_out"),
    ),
    evidence=(
        "flag silent since 09:37:10: no word for 300 s",
        "event 9 task.progress 09:32:10: agent: turn 7 of 60",
    ),
)
TASKS: Final = Page[TaskView](data=(RUNNING,), next_cursor=None)
DELIVERY: Final = DeliveryView(
    id="dlv_mfzwizltoq2a6gk7pl6vxgzqau-301",
    endpoint_id="ep_mfzwizltoq2a6gk7pl6vxgzqau",
    event_id="evt_01k5yb2z7cfe00800000000009d",
    task_id=TASK_ID,
    type="task.created",
    status="delivered",
    reason=None,
    next_attempt_at=None,
    attempts=(
        DeliveryAttemptView(
            at="2026-01-05T09:30:00.100Z",
            trigger="auto",
            status=204,
            reason=None,
            duration_ms=41,
            key_id="sec_01k5yb2z7cfkh9dk5qjw9m3x4r",
            response_body="",
        ),
    ),
)
WHOLE: Final = WholeTaskView(
    **msgspec.structs.asdict(RUNNING),
    attempts=(
        AttemptView(
            number=1,
            status="running",
            provider="local",
            realm="ins_01k5yb1k3mfx2",
            sandbox=RUNNING.sandbox,
            opened_at="2026-01-05T09:30:00.000Z",
            claimed_at="2026-01-05T09:30:00.020Z",
            started_at="2026-01-05T09:30:04.200Z",
            ended_at=None,
            launches=1,
            usage=RUNNING.usage,
            error=None,
        ),
    ),
    deliveries=(DELIVERY,),
)
PROGRESS: Final = EventView(
    id="evt_01k5yb6t5fe00800000000009q",
    seq=311,
    task_id=TASK_ID,
    task_seq=9,
    attempt=1,
    type="task.progress",
    at="2026-01-05T09:32:10.000Z",
    applied=True,
    reason=None,
    source="agent",
    data=msgspec.Raw(b'{"stage":"agent","message":"turn 7 of 60"}'),
)
FAILING_STATE: Final = EndpointStateView(
    id="ep_01k5yb2z7cfkh9dk5qjw9m3x4r",
    origin="https://app.example",
    implicit=False,
    enabled=True,
    reason="status",
    http_status=503,
    failing_since="2026-01-05T09:27:41.000Z",
)
FAILING: Final = EventView(
    id="evt_01k5yb6t5fe0080000000000ap",
    seq=342,
    task_id=None,
    task_seq=None,
    attempt=None,
    type="endpoint.failing",
    at="2026-01-05T09:32:46.000Z",
    applied=True,
    reason=None,
    source="gateway",
    data=msgspec.Raw(b'{"endpoint":%b}' % msgspec.json.encode(FAILING_STATE)),
)
EVENTS: Final = Page[EventView](data=(PROGRESS,), next_cursor="311")
_TOKEN: Final = "st_1767609000000.a2V5cyBhcmUgbmV2ZXIgc2hvd24sIHRva2VucyBhcmU"  # noqa: S105 - an example
STREAM: Final = StreamToken(
    token=_TOKEN,
    expires_at="2026-01-05T10:30:00.000Z",
    refresh_at="2026-01-05T10:20:00.000Z",
    url=f"https://gate.example/v1/tasks/{TASK_ID}/events?token={_TOKEN}",
)
