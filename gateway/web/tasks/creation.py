"""The request for a task as a command: defaults, rules, and sealed secrets."""

from typing import Final

import msgspec

from gateway.domain.kernel.commands import Callback, CreateTask
from gateway.domain.kernel.ids import implicit_endpoint_id
from gateway.domain.kernel.read_set import Idempotency
from gateway.domain.kernel.sealing import callback_url_context, env_context
from gateway.domain.repositories.address import is_same_repository
from gateway.domain.repositories.allowed import check_repository
from gateway.domain.repositories.branch_names import check_branch
from gateway.domain.tasks.continuation import continuation_of
from gateway.domain.tasks.reserved_env import check_env
from gateway.domain.tasks.spec import DEFAULT_COST_USD, AgentSpec, Continuation, Spec, TimeoutSpec
from gateway.domain.tasks.task import Task
from gateway.store.records import TaskWithSpec
from gateway.web.context import DEFAULT_MODELS, Context
from gateway.web.deliveries.addresses import masked_url, origin_of, outward_url
from gateway.web.http.fields import to_millis, wrong_field
from gateway.web.http.problems import ErrorCollector
from gateway.web.launching.sandbox_env import PROMPT_BYTES
from gateway.wire.tasks import NewTask

TITLE_LENGTH: Final = 72
KEY_LENGTH: Final = 200


def creation(
    context: Context,
    wanted: NewTask,
    *,
    task_id: str,
    project: str,
    earlier: TaskWithSpec | None = None,
    idempotency: Idempotency | None = None,
    traceparent: str | None = None,
) -> CreateTask:
    """The command that creates the task; or an error that names every field that breaks a rule.

    `earlier` is the task that `continueOf` names.
    """
    wanted, repo_url = _completed(wanted, earlier)
    branch_name = wanted.branch_name or f"slipgate/{task_id}"
    if context.follow_ups and wanted.concurrency_key is None:
        # A follow-up may come while this task runs, or before it is retried.
        key = _branch_key(branch_name, repo_url)
        wanted = msgspec.structs.replace(wanted, concurrency_key=key)
    collector = ErrorCollector()
    callback = None
    with collector:
        callback = _callback(context, wanted.callback_url, task_id, project)
    _check(context, wanted, repo_url, collector)
    spec = _spec(
        wanted,
        project,
        repo_url=repo_url,
        branch_name=branch_name,
        continues=continuation_of(*earlier) if earlier else None,
        snapshot=wanted.snapshot or context.snapshot,
        endpoint_id=callback.endpoint_id if callback else None,
        traceparent=context.metrics.traces.traceparent(traceparent, task_id),
    )
    if context.public_url is None and len(spec.whole_prompt.encode()) > PROMPT_BYTES:
        message = f"A prompt over {PROMPT_BYTES} bytes is fetched, which needs SLIPGATE_PUBLIC_URL"
        raise wrong_field("$.prompt", message)
    env = msgspec.json.encode(wanted.env)
    return CreateTask(
        task_id=task_id,
        spec=spec,
        env=context.seal(env, env_context(task_id)) if wanted.env else None,
        callback=callback,
        idempotency=idempotency,
    )


def _completed(wanted: NewTask, earlier: TaskWithSpec | None) -> tuple[NewTask, str]:
    """The request with the repository, the branches and the key of the task that it continues."""
    if earlier is None:
        if wanted.repo_url is None:
            message = "Expected the address of the repository, or `continueOf` with an ended task"
            raise wrong_field("$.repoUrl", message)
        return wanted, wanted.repo_url
    task, spec = earlier
    if wanted.repo_url is not None and not is_same_repository(wanted.repo_url, spec.repo_url):
        raise wrong_field("$.repoUrl", "Expected the repository of `continueOf`, or none")
    for path, given, kept in (
        ("$.branchName", wanted.branch_name, spec.branch_name),
        ("$.baseBranch", wanted.base_branch, spec.base_branch),
    ):
        if given not in {None, kept}:
            raise wrong_field(path, "Expected the branch of `continueOf`, or none")
    key = wanted.concurrency_key or key_of(task, spec)
    completed = msgspec.structs.replace(
        wanted, branch_name=spec.branch_name, base_branch=spec.base_branch, concurrency_key=key
    )
    return completed, spec.repo_url


def _check(context: Context, wanted: NewTask, repo_url: str, collector: ErrorCollector) -> None:
    with collector:
        check_repository(
            repo_url,
            "$.repoUrl",
            allow_file=context.allow_file_repos,
            allowed=context.allowed_repos,
        )
    branches = ((wanted.base_branch, "$.baseBranch"), (wanted.branch_name, "$.branchName"))
    for branch, path in branches:
        with collector:
            if branch is not None:
                check_branch(branch, path)
    with collector:
        check_env(wanted.env)
    collector.check()


def _spec(
    wanted: NewTask,
    project: str,
    *,
    repo_url: str,
    branch_name: str,
    continues: Continuation | None,
    snapshot: str,
    endpoint_id: str | None,
    traceparent: str | None,
) -> Spec:
    agent = wanted.agent
    bound = agent.max_cost_usd
    return Spec(
        project=project,
        repo_url=repo_url,
        continues=continues,
        prompt=wanted.prompt,
        title=wanted.title or title_of(wanted.prompt),
        branch_name=branch_name,
        base_branch=wanted.base_branch,
        snapshot=snapshot,
        provider=wanted.provider,
        agent=AgentSpec(
            engine=agent.engine,
            model_provider=agent.provider,
            model=agent.model or DEFAULT_MODELS[agent.provider],
            effort=agent.effort,
            max_turns=agent.max_turns,
            max_cost_usd=bound if bound is not None else DEFAULT_COST_USD,
            has_cost_bound=bound is not None,
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


def key_of(task: Task, spec: Spec) -> str:
    """The concurrency key of tasks that continue this one."""
    return task.concurrency_key or _branch_key(spec.branch_name, spec.repo_url)


def _branch_key(branch_name: str, repo_url: str) -> str:
    return f"{branch_name} of {repo_url}"[:KEY_LENGTH]


def title_of(prompt: str) -> str:
    """The first line of a prompt that is not blank, cut."""
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
