"""The request for a task as a command: defaults, rules, and sealed secrets."""

from typing import Final

import msgspec

from gateway.domain.kernel.commands import Callback, CreateTask
from gateway.domain.kernel.ids import implicit_endpoint_id
from gateway.domain.kernel.read_set import Idempotency
from gateway.domain.kernel.sealing import callback_url_context, env_context
from gateway.domain.repositories.allowed import check_repository
from gateway.domain.repositories.branch_names import check_branch
from gateway.domain.tasks.reserved_env import check_env
from gateway.domain.tasks.spec import AgentSpec, Spec, TimeoutSpec
from gateway.web.context import DEFAULT_MODELS, Context
from gateway.web.deliveries.addresses import masked_url, origin_of, outward_url
from gateway.web.http.fields import to_millis, wrong_field
from gateway.web.http.problems import ErrorCollector
from gateway.web.launching.sandbox_env import PROMPT_BYTES
from gateway.wire.tasks import NewTask

TITLE_LENGTH: Final = 72


def creation(
    context: Context,
    wanted: NewTask,
    *,
    task_id: str,
    project: str,
    idempotency: Idempotency | None = None,
    traceparent: str | None = None,
) -> CreateTask:
    """The command that creates the task; or an error that names every field that breaks a rule."""
    collector = ErrorCollector()
    callback = None
    with collector.collecting():
        callback = _callback(context, wanted.callback_url, task_id, project)
    _check(context, wanted, collector)
    env = msgspec.json.encode(wanted.env)
    return CreateTask(
        task_id=task_id,
        spec=_spec(
            wanted,
            task_id,
            project,
            snapshot=wanted.snapshot or context.snapshot,
            endpoint_id=callback.endpoint_id if callback else None,
            traceparent=traceparent,
        ),
        env=context.seal(env, env_context(task_id)) if wanted.env else None,
        callback=callback,
        idempotency=idempotency,
    )


def _check(context: Context, wanted: NewTask, collector: ErrorCollector) -> None:
    with collector.collecting():
        check_repository(
            wanted.repo_url,
            "$.repoUrl",
            allow_file=context.allow_file_repos,
            allowed=context.allowed_repos,
        )
    branches = ((wanted.base_branch, "$.baseBranch"), (wanted.branch_name, "$.branchName"))
    for branch, path in branches:
        with collector.collecting():
            if branch is not None:
                check_branch(branch, path)
    with collector.collecting():
        check_env(wanted.env)
    collector.check()
    if context.public_url is None and len(wanted.prompt.encode()) > PROMPT_BYTES:
        message = f"A prompt over {PROMPT_BYTES} bytes is fetched, which needs SLIPGATE_PUBLIC_URL"
        raise wrong_field("$.prompt", message)


def _spec(
    wanted: NewTask,
    task_id: str,
    project: str,
    *,
    snapshot: str,
    endpoint_id: str | None,
    traceparent: str | None,
) -> Spec:
    agent = wanted.agent
    return Spec(
        project=project,
        repo_url=wanted.repo_url,
        prompt=wanted.prompt,
        title=wanted.title or _title(wanted.prompt),
        branch_name=wanted.branch_name or f"slipgate/{task_id}",
        base_branch=wanted.base_branch,
        snapshot=snapshot,
        provider=wanted.provider,
        agent=AgentSpec(
            engine=agent.engine,
            model_provider=agent.model_provider,
            model=agent.model or DEFAULT_MODELS[agent.model_provider],
            effort=agent.effort,
            max_turns=agent.max_turns,
            max_cost_usd=agent.max_cost_usd,
            max_repair_rounds=agent.max_repair_rounds,
            command=agent.command,
        ),
        validate=wanted.validate,
        timeouts=msgspec.convert(wanted.timeouts, TimeoutSpec, from_attributes=True),
        max_attempts=wanted.max_attempts,
        on_stall=wanted.on_stall,
        priority=wanted.priority,
        not_before=to_millis(wanted.not_before, "$.notBefore") if wanted.not_before else None,
        concurrency_key=wanted.concurrency_key,
        keep_sandbox=wanted.keep_sandbox,
        callback_url=masked_url(wanted.callback_url) if wanted.callback_url else None,
        endpoint_id=endpoint_id,
        metadata=wanted.metadata,
        traceparent=traceparent,
    )


def _title(prompt: str) -> str:
    lines = (line.strip() for line in prompt.splitlines())
    return next((line for line in lines if line), "Task")[:TITLE_LENGTH]


def _callback(context: Context, url: str | None, task_id: str, project: str) -> Callback | None:
    if url is None:
        return None
    origin = origin_of(outward_url(context, url, "$.callbackUrl"))
    return Callback(
        endpoint_id=implicit_endpoint_id(project, origin),
        origin=origin,
        url=context.seal(url.encode(), callback_url_context(task_id)),
    )
