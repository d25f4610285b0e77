"""The environment of a sandbox: the variables of the snapshot, and those of the task."""

import re
from typing import Final

import msgspec

from gateway.domain.kernel.keyring import Keyring, hook_token
from gateway.domain.kernel.sealing import env_context
from gateway.domain.tasks.spec import DEFAULT_COST_USD, Document, Spec
from gateway.domain.tasks.task import Attempt, Task, Usage
from gateway.store.records import StoredSecrets
from gateway.web.convert import convert
from gateway.wire.signing import secret_text

_ISSUE: Final = re.compile(r"^https://\S+/(?:issues|pull)/\d+$")
"""The address of an issue, as a frontend may keep it with the task."""
PROMPT_BYTES: Final = 32 * 1024
"""One string of an environment may have 128 KiB in Linux; a longer prompt is fetched."""
NOTHING: Final = Usage()


class EngineSettings(Document, frozen=True, kw_only=True, omit_defaults=False):
    """The value of SLIPGATE_AGENT, for the runner."""

    engine: str
    command: tuple[str, ...] | None
    max_turns: int
    max_cost_usd: float | msgspec.UnsetType
    """Unset: nobody gave one, and the default holds."""
    effort: str | None
    max_repair_rounds: int
    spent_turns: int
    """Of the attempts whose budget this one shares."""
    spent_cost_usd: float


class Continued(Document, frozen=True, kw_only=True, omit_defaults=False):
    """The value of SLIPGATE_CONTINUE, for the runner."""

    branch: str
    pr_url: str | None
    head_sha: str | None
    requested_by: str | None
    """The person on GitHub, who must be allowed to write to the repository."""


def launch_env(
    keyring: Keyring,
    public_url: str | None,
    job: tuple[Task, Attempt],
    spec: Spec,
    secrets: StoredSecrets | None,
    *,
    may_resume: bool = False,
    spent: Usage = NOTHING,
) -> dict[str, str]:
    """Every variable of a create job; ours win over the task's own. `may_resume`: an earlier
    attempt has left work to go on with. `spent`: by the attempts whose budget this one shares.

    Raises:
        UnknownKey: the master key of the attempt or of its secrets is no longer given.
    """
    task, attempt = job
    own = _task_env(keyring, task, secrets)
    # A frontend may ask for something else under the same TASK_ID.
    is_same = spec.flat is None or own.get("AGENT_PROMPT", spec.prompt) == spec.prompt
    called_back = {
        **_callback(keyring, public_url, task, attempt),
        **(_resume(public_url, task, attempt) if may_resume and is_same else {}),
    }
    if spec.flat is not None:
        # Scripts of today's frontend get what it gave; only what they call back is ours.
        return {**_computed(task, spec, spent), **own, "WORKSPACE_ID": task.id, **called_back}
    prompt = _prompt(public_url, task, attempt, spec)
    return {**own, **_computed(task, spec, spent), **called_back, **prompt}


def _task_env(keyring: Keyring, task: Task, secrets: StoredSecrets | None) -> dict[str, str]:
    if secrets is None or secrets.env is None:
        return {}
    opened = keyring.open(secrets.env, context=env_context(task.id))
    return msgspec.json.decode(opened, type=dict[str, str])


def _computed(task: Task, spec: Spec, spent: Usage) -> dict[str, str]:
    agent = spec.agent
    is_bound = agent.has_cost_bound or agent.max_cost_usd != DEFAULT_COST_USD
    engine = convert(
        EngineSettings,
        agent,
        max_cost_usd=agent.max_cost_usd if is_bound else msgspec.UNSET,
        spent_turns=spent.turns,
        spent_cost_usd=round(spent.cost_usd, 6),
    )
    env = {
        "TARGET_REPO": spec.repo_url,
        "BASE_BRANCH": spec.base_branch or "",
        "BRANCH_NAME": spec.branch_name,
        "TASK_ID": task.id,
        "WORKSPACE_ID": task.id,
        "MODEL_PROVIDER": agent.model_provider,
        "MODEL": agent.model or "",
        "KEEP_ALIVE": "true" if spec.keep_sandbox else "false",
        "SLIPGATE_TITLE": spec.title,
        "SLIPGATE_RUN_SECONDS": str(spec.timeouts.run_seconds),
        "SLIPGATE_AGENT": msgspec.json.encode(engine).decode(),
    }
    if spec.validate is not None:
        env["SLIPGATE_VALIDATE"] = msgspec.json.encode(spec.validate).decode()
    if spec.continues is not None:
        earlier = Continued(
            branch=spec.branch_name,
            pr_url=spec.continues.pr_url,
            head_sha=spec.continues.commit_sha,
            requested_by=spec.continues.requested_by,
        )
        env["SLIPGATE_CONTINUE"] = msgspec.json.encode(earlier).decode()
    if issues := [value for value in spec.metadata.values() if _ISSUE.search(value)]:
        env["SLIPGATE_ISSUES"] = " ".join(issues)
    if spec.traceparent is not None:
        env["TRACEPARENT"] = spec.traceparent
    return env


def _callback(
    keyring: Keyring, public_url: str | None, task: Task, attempt: Attempt
) -> dict[str, str]:
    key = keyring.attempt_key(attempt.key_id, task.id, attempt.number)
    env = {
        "SLIPGATE_TASK_ID": task.id,
        "SLIPGATE_ATTEMPT": str(attempt.number),
        "SLIPGATE_WEBHOOK_SECRET": secret_text(key),
    }
    if public_url is not None:
        token = hook_token(attempt.number, key)
        env["SLIPGATE_WEBHOOK_URL"] = f"{public_url}/v1/webhooks/agent"
        env["WEBHOOK_URL"] = f"{public_url}/v1/hooks/{task.id}/{token}"
    return env


def _prompt(public_url: str | None, task: Task, attempt: Attempt, spec: Spec) -> dict[str, str]:
    whole = spec.whole_prompt.encode()
    if len(whole) <= PROMPT_BYTES:
        return {"AGENT_PROMPT": spec.whole_prompt}
    env = {"AGENT_PROMPT": whole[:PROMPT_BYTES].decode(errors="ignore")}
    if public_url is not None:
        env["SLIPGATE_PROMPT_URL"] = _agent_url(public_url, "prompt", task, attempt)
    return env


def _resume(public_url: str | None, task: Task, attempt: Attempt) -> dict[str, str]:
    if public_url is None:
        return {}
    return {"SLIPGATE_RESUME_URL": _agent_url(public_url, "patch", task, attempt)}


def _agent_url(public_url: str, name: str, task: Task, attempt: Attempt) -> str:
    return f"{public_url}/v1/agent/{name}?taskId={task.id}&attempt={attempt.number}"
