"""The state of a sandbox, from its Job and its pod; reasons begin with Kubernetes' own word.

Source: kubernetes.io, "Pod Lifecycle", "Disruptions", "Jobs".
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from gateway.wire.launcher import Process, ReportedState
from gateway.wire.times import milliseconds, parse_rfc3339
from launcher.providers.kubernetes.errors import creation_error
from launcher.providers.kubernetes.schema import (
    AGENT,
    NAME_LABEL,
    SIDECAR,
    SNAPSHOT,
    STARTED,
    Condition,
    ContainerState,
    Event,
    Job,
    Metadata,
    Pod,
    Terminated,
)
from launcher.providers.protocol import INSTANCE_LABEL, Key, ProviderError, SandboxStatus

_PREFIX: Final = "slipgate-"
_NEVER_PULLED: Final = ("InvalidImageName", "ErrImageNeverPull")
_PULLING: Final = (
    "ErrImagePull",
    "ImagePullBackOff",
    "RegistryUnavailable",
    "SignatureValidationFailed",
)
_NO_IMAGE: Final = re.compile(
    r"not found|manifest unknown|does not exist|denied|unauthorized|forbidden"
    r"|no match for platform",
    re.IGNORECASE,
)
_CANNOT_START: Final = (
    *("CreateContainerConfigError", "CreateContainerError", "RunContainerError"),
    *("StartError", "ContainerCannotRun", "PreCreateHookError"),
)
_FATAL_CONFIG: Final = re.compile(
    r"runAsNonRoot|non-numeric user|no command|executable file", re.IGNORECASE
)
_PULL_ADVICE: Final = (
    "Push the image, name it in SLIPGATE_KUBERNETES_IMAGES, or name the secret of a private "
    "registry in SLIPGATE_KUBERNETES_PULL_SECRET."
)
_CAPACITY_ADVICE: Final = (
    "Add a node, or look at SLIPGATE_KUBERNETES_REQUESTS, _NODE_SELECTOR and _TOLERATIONS."
)
_MESSAGE_CHARACTERS: Final = 700
_UNKNOWN: Final = Process(state="unknown")


@dataclass(frozen=True, kw_only=True, slots=True)
class ExplainedState:
    """A state and its explanation."""

    state: ReportedState
    process: Process = _UNKNOWN
    reason: str | None = None
    failure: ProviderError | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class Sandbox:
    """A Job and its pod; without a Job the pod is one that a deleted Job has left."""

    metadata: Metadata
    """Of the Job, else of the pod."""
    job: Job | None
    pod: Pod | None
    events: Sequence[Event] = ()
    """About a Job that has no pod."""
    limits: Mapping[str, str]

    @property
    def id(self) -> str:
        """The Job's uid."""
        if self.job is None and self.metadata.owner_references:
            return self.metadata.owner_references[0].uid
        return self.metadata.uid

    @property
    def has_ended(self) -> bool:
        """True if the agent's container does not run any more."""
        pod = self.pod
        return pod is None or pod.is_over or pod.container(AGENT).terminated is not None

    @property
    def is_readable(self) -> bool:
        """True if commands can be run beside the agent."""
        pod = self.pod
        return pod is not None and pod.container(SIDECAR).running is not None

    def status(self) -> SandboxStatus:
        metadata, found = self.metadata, self.state()
        labels = {k: v for k, v in metadata.labels.items() if k.startswith(_PREFIX)}
        created_at = parse_rfc3339(metadata.creation_timestamp or "")
        return SandboxStatus(
            id=self.id,
            key=Key(
                instance=labels.get(INSTANCE_LABEL, ""),
                name=self.job.metadata.name if self.job else labels.get(NAME_LABEL, ""),
                id=self.id,
            ),
            snapshot=metadata.annotations.get(SNAPSHOT) or None,
            labels=labels,
            state=found.state,
            process=found.process,
            created_at=milliseconds(created_at) if created_at else 0,
            reason=found.reason,
            failure=found.failure,
        )

    def state(self) -> ExplainedState:
        if self.metadata.deletion_timestamp:
            return ExplainedState(state="unknown", reason="it is being deleted")
        if self.pod is not None:
            return _of_pod(self.pod, self.limits)
        return _of_job(self.job, self.events) if self.job else ExplainedState(state="unknown")


def _of_job(job: Job, events: Sequence[Event]) -> ExplainedState:
    """A Job without a pod."""
    if job.failure is not None:
        is_gone = job.failure.reason == "BackoffLimitExceeded"
        why = ". Its pod was deleted, or is lost with its node" if is_gone else ""
        return ExplainedState(state="error", reason=f"{job.failure.text}{why}")
    if job.spec.suspend and STARTED in job.metadata.annotations:
        return ExplainedState(state="stopped", reason="Suspended: somebody has suspended the Job")
    if job.status.failed:
        return ExplainedState(state="unknown", reason="its pod is gone")
    refused = next((each for each in reversed(events) if each.reason == "FailedCreate"), None)
    if refused is None:
        return ExplainedState(state="creating")
    failure = creation_error(refused.message)
    state: ReportedState = "creating" if failure.retryable else "error"
    return ExplainedState(
        state=state, reason=_text(refused.reason, refused.message), failure=failure
    )


def _of_pod(pod: Pod, limits: Mapping[str, str]) -> ExplainedState:
    agent = pod.container(AGENT)
    if agent.terminated is not None and agent.terminated.reason not in _CANNOT_START:
        return _of_ended(pod, agent.terminated, limits)
    if pod.is_over:
        return _lost(pod)
    disruption = pod.condition("DisruptionTarget")
    if pod.metadata.deletion_timestamp or pod.status.phase == "Unknown":
        what = disruption.text if disruption else "the pod is being deleted"
        return ExplainedState(state="unknown", reason=f"Terminating: {what}")
    if agent.running is not None:
        return ExplainedState(state="started", process=Process(state="running"))
    return _of_starting(pod)


def _of_ended(pod: Pod, agent: Terminated, limits: Mapping[str, str]) -> ExplainedState:
    """Its files can be read as long as the pod is there."""
    code = agent.exit_code
    process = Process(state="exited", exit_code=code if 0 <= code <= 255 else None)
    reason = None
    if agent.reason == "OOMKilled":
        limit = limits.get("memory", "that of the node")
        reason = f"OOMKilled: out of memory, its limit is {limit} (SLIPGATE_KUBERNETES_LIMITS)"
    if pod.is_over:
        lost = _lost(pod)
        return ExplainedState(state=lost.state, process=process, reason=lost.reason or reason)
    return ExplainedState(state="started", process=process, reason=reason)


def _lost(pod: Pod) -> ExplainedState:
    """A pod that has ended with all its containers: what it spooled last cannot be read."""
    failed_init = next(
        (e.state for e in pod.status.init_container_statuses if e.state.terminated), None
    )
    disruption = pod.condition("DisruptionTarget")
    if pod.status.reason or pod.status.message:
        reason = _text(pod.status.reason or "Failed", pod.status.message)
    elif disruption is not None and disruption.status == "True":
        reason = _text(disruption.reason, disruption.message)
    elif failed_init and failed_init.terminated and failed_init.terminated.exit_code:
        reason = _text("InitError", f"the image cannot take its variables: {_ended(failed_init)}")
    else:
        reason = _text("PodFailed", _ended(pod.container(AGENT)))
    failure = None
    agent = pod.container(AGENT)
    if agent.terminated is not None and agent.terminated.reason in _CANNOT_START:
        failure = _not_startable(_ended(agent))
    return ExplainedState(state="error", reason=reason, failure=failure)


def _of_starting(pod: Pod) -> ExplainedState:
    scheduled = pod.condition("PodScheduled")
    if scheduled is not None and scheduled.status == "False":
        return _unscheduled(scheduled)
    agent = pod.container(AGENT)
    if agent.terminated is not None:
        return ExplainedState(
            state="error", reason=_ended(agent), failure=_not_startable(_ended(agent))
        )
    states = [*pod.status.init_container_statuses, *pod.status.container_statuses]
    for waiting in (each.state.waiting for each in states if each.state.waiting):
        text = _text(waiting.reason, waiting.message)
        if waiting.reason in (*_NEVER_PULLED, *_PULLING):
            return _not_pulled(waiting.reason, text)
        if waiting.reason in _CANNOT_START:
            is_fatal = _FATAL_CONFIG.search(waiting.message) is not None
            state: ReportedState = "error" if is_fatal else "creating"
            return ExplainedState(state=state, reason=text, failure=_not_startable(text))
    return ExplainedState(state="creating")


def _unscheduled(condition: Condition) -> ExplainedState:
    """The cluster may yet get a node: the launch's own clock ends the wait."""
    text = condition.text
    failure = ProviderError(
        "provider_quota",
        f"kubernetes has no node for the sandbox: {text.rstrip('.')}. {_CAPACITY_ADVICE}",
        retryable=True,
    )
    return ExplainedState(state="creating", reason=text, failure=failure)


def _not_pulled(reason: str, text: str) -> ExplainedState:
    """The kubelet goes on trying, which helps where the registry is only away."""
    is_missing = reason in _NEVER_PULLED or _NO_IMAGE.search(text) is not None
    failure = ProviderError(
        "snapshot_not_found" if is_missing else "provider_unavailable",
        f"kubernetes cannot pull the image: {text.rstrip('.')}. {_PULL_ADVICE}",
        retryable=not is_missing,
    )
    return ExplainedState(state="error" if is_missing else "creating", reason=text, failure=failure)


def _not_startable(text: str) -> ProviderError:
    message = (
        f"kubernetes cannot start the image's entrypoint: {text.rstrip('.')}. The image needs "
        "`sh`, an entrypoint, and a user with a number that is not 0"
    )
    return ProviderError("sandbox_error", message)


def _ended(state: ContainerState) -> str:
    ended = state.terminated
    if ended is None:
        return "the pod has ended"
    return _text(ended.reason or "Ended", ended.message or f"exit code {ended.exit_code}")


def _text(reason: str, message: str) -> str:
    words = " ".join(message.split())[:_MESSAGE_CHARACTERS]
    return f"{reason}: {words}" if words else reason
