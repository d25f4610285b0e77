"""`kubernetes`: each sandbox is a Job with one pod, in one namespace of a cluster.

The Job's name is the idempotency key. It is created suspended, gets its variables in a Secret, and
is let go once: whatever befalls its pod, no other one is made. A container beside the agent's keeps
the pod, and so the spool, until the launcher has read it.
"""

import asyncio
import contextlib
import re
import time
from collections.abc import AsyncGenerator, Iterable
from dataclasses import KW_ONLY, dataclass, field, replace
from typing import ClassVar, Final

from launcher.client import Clock, Sleep
from launcher.kubernetes_settings import KubernetesSettings
from launcher.providers.kubernetes import remote_commands
from launcher.providers.kubernetes.api_client import KubernetesApi
from launcher.providers.kubernetes.errors import AlreadyThere, Conflicting, NotThere, unavailable
from launcher.providers.kubernetes.manifests import job_body, secret_body
from launcher.providers.kubernetes.pod_state import Sandbox
from launcher.providers.kubernetes.pod_watch import PodWatch
from launcher.providers.kubernetes.schema import (
    AGENT,
    NAME_LABEL,
    STARTED,
    AnyObject,
    Event,
    Job,
    Listed,
    Pod,
)
from launcher.providers.protocol import (
    INSTANCE_LABEL,
    LOG_TAIL,
    Key,
    ProviderError,
    SandboxSpec,
    SandboxStatus,
    SpoolPiece,
)
from launcher.sandbox_env import check_variables

BATCH: Final = "batch/v1"
NETWORKING: Final = "networking.k8s.io/v1"
REMOVE_SECONDS: Final = 60.0
ENDING_SECONDS: Final = 10.0
"""For the kubelet to report the end of a container."""
POLL_SECONDS: Final = 0.5
LET_GO_ATTEMPTS: Final = 5
_LOG_LINES: Final = 30
_NAME: Final = re.compile(r"[a-z0-9]([a-z0-9-]{0,50}[a-z0-9])?")
"""A Job's name, to which its controller adds the pod's."""
_LABEL: Final = re.compile(r"([A-Za-z0-9]([A-Za-z0-9_.-]{0,61}[A-Za-z0-9])?)?")


@dataclass
class Kubernetes:
    """Jobs of one namespace."""

    name: ClassVar = "kubernetes"

    api: KubernetesApi
    _: KW_ONLY
    realm: str
    settings: KubernetesSettings
    watch: PodWatch
    sleep: Sleep = asyncio.sleep
    clock: Clock = time.monotonic
    _emptied: set[str] = field(default_factory=set, init=False)
    """Ids of sandboxes whose Secret this launcher has deleted."""

    async def create(self, spec: SandboxSpec) -> SandboxStatus:
        """The name is the idempotency key: the Job that has it is the result."""
        name, image = _check_name(spec.key.name), self._image(spec)
        check_variables(spec.env)
        if not all(map(_LABEL.fullmatch, spec.labels.values())):
            raise ProviderError("invalid_name", "a label of the sandbox is not ours")
        await self._check_network_policy()
        return await self._adopt(
            spec, await self._obtain(name, job_body(spec, image, self.settings))
        )

    async def find(self, key: Key) -> SandboxStatus | None:
        found = await self._fetch(key)
        if found is None:
            return None
        return await self._report(found, key)

    async def list_sandboxes(self, instance: str) -> list[SandboxStatus]:
        selector = f"{INSTANCE_LABEL}={_check_label(instance)}"
        jobs, _ = await self.api.list_all(self.api.path("jobs", group=BATCH), Job, selector)
        pods, _ = await self.api.list_all(self.api.path("pods"), Pod, selector)
        of_job = {owner: pod for pod in reversed(pods) for owner in _owners(pod)}
        found = [self._of_job(job, of_job.pop(job.metadata.uid, None)) for job in jobs]
        found += [self._of_pod(pod) for pod in of_job.values()]
        return [each.status() for each in found]

    async def ended(self) -> frozenset[Key]:
        return await self.watch.ended()

    async def read_spool(self, key: Key, offset: int) -> SpoolPiece:
        """Empty if there is no pod, or if it has ended as a whole: its files went with it."""
        found = await self._fetch(key)
        if found is None or found.pod is None or not found.is_readable:
            return SpoolPiece(offset=offset)
        return await remote_commands.read_spool(self.api, found.pod.metadata.name, offset)

    async def read_log(self, key: Key) -> str:
        found = await self._fetch(key)
        if found is None or found.pod is None:
            return ""
        path = f"{self.api.path('pods', found.pod.metadata.name)}/log"
        query = {"container": AGENT, "tailLines": str(_LOG_LINES), "limitBytes": "65536"}
        try:
            return (await self.api.text(path, query))[-LOG_TAIL:]
        except ProviderError:  # no container, no node, or one whose files are gone
            return ""

    async def stop(self, key: Key) -> None:
        """Ends the agent's container; the pod stays."""
        found = await self._fetch(key)
        if found is None or found.pod is None or found.pod.container(AGENT).running is None:
            return
        failure: ProviderError | None = None
        try:
            await remote_commands.stop_agent(self.api, found.pod.metadata.name)
        except ProviderError as error:  # the command ends with the container
            failure = error
        deadline = self.clock() + ENDING_SECONDS
        while (found := await self._fetch(key)) is not None and not found.has_ended:
            if self.clock() > deadline:
                # Everything else in it was killed: its spool is final.
                message = "kubernetes: the image's first process does not end at SIGTERM"
                raise failure or ProviderError("sandbox_error", message)
            await self.sleep(POLL_SECONDS)

    async def rescue(self, key: Key) -> AsyncGenerator[bytes, None]:
        found = await self._fetch(key)
        if found is None or found.pod is None or not found.is_readable or not found.has_ended:
            return
        async for line in remote_commands.rescue(self.api, found.pod.metadata.name):
            yield line

    async def remove(self, key: Key) -> None:
        """Deletes the Job and waits until its pod is gone, too: the node has then ended it."""
        deadline = self.clock() + REMOVE_SECONDS
        while (found := await self._fetch(key)) is not None:
            await self._delete(found)
            if self.clock() > deadline:
                reason = found.state().reason
                raise unavailable(f"the Job's pod is still there after its deletion ({reason})")
            await self.sleep(POLL_SECONDS)
        self._emptied.discard(key.id or "")

    def _image(self, spec: SandboxSpec) -> str:
        if not spec.snapshot:
            message = "the job names no snapshot, so there is no image to run. Name one in the task"
            raise ProviderError("snapshot_not_found", message)
        return self.settings.images.get(spec.snapshot, spec.snapshot)

    async def _check_network_policy(self) -> None:
        """Sandboxes run commands of strangers: none starts where it could reach the cluster."""
        name = self.settings.network_policy
        path = self.api.path("networkpolicies", name, NETWORKING)
        if name and await self.api.find(path, AnyObject) is None:
            message = (
                f"kubernetes: the namespace {self.api.namespace} has no NetworkPolicy {name}. "
                "`kubectl apply -f gateway/deploy/kubernetes/sandboxes.yaml` makes it; "
                "SLIPGATE_KUBERNETES_NETWORK_POLICY names another one, or none"
            )
            raise ProviderError("provider_refused", message)

    async def _obtain(self, name: str, body: object) -> Job:
        """The Job of this name, made now or before: also if the answer to its creation was lost."""
        failure: ProviderError | None = None
        try:
            return await self.api.create(self.api.path("jobs", group=BATCH), body, Job)
        except AlreadyThere as error:
            failure = error
        except ProviderError as error:
            if not error.retryable:
                raise
            failure = error
        found = await self._job(name)
        if found is None:
            raise failure
        return found

    async def _adopt(self, spec: SandboxSpec, job: Job) -> SandboxStatus:
        """Lets it go, if its creator died before that."""
        if not job.metadata.labels.items() >= spec.labels.items():
            raise ProviderError("name_taken", "another Job has this name in the namespace")
        if job.metadata.deletion_timestamp:
            raise unavailable("the Job of this name is still being deleted")
        if job.is_unstarted:
            await self._put_variables(job, spec)
            job = await self._let_go(job)
        pod = await self._pod(job.metadata.uid, job.metadata.name)
        return await self._report(self._of_job(job, pod), spec.key)

    async def _put_variables(self, job: Job, spec: SandboxSpec) -> None:
        body = secret_body(job, spec.env)
        try:
            await self.api.post(self.api.path("secrets"), body, AnyObject)
        except AlreadyThere:  # of a creator that died, or of an earlier Job of this name
            await self.api.put(self.api.path("secrets", job.metadata.name), body, AnyObject)

    async def _let_go(self, job: Job) -> Job:
        """Only this Job, and once: its controller has meanwhile written its status, and somebody
        else may have let it go or deleted it."""
        for _ in range(LET_GO_ATTEMPTS):
            path = self.api.path("jobs", job.metadata.name, BATCH)
            with contextlib.suppress(Conflicting, NotThere):
                return await self.api.patch(path, _let_go_patch(job), Job)
            found = await self._job(job.metadata.name)
            if found is None or found.metadata.uid != job.metadata.uid:
                break
            if not found.is_unstarted:
                return found
            job = found
        raise unavailable("the Job was changed while it was being started")

    async def _report(self, found: Sandbox, key: Key) -> SandboxStatus:
        status = found.status()
        if status.state != "creating":
            await self._delete_variables(found)
        return replace(status, key=replace(key, id=found.id))

    async def _delete_variables(self, found: Sandbox) -> None:
        """They are in the sandbox, or will never be."""
        if found.job is None or found.id in self._emptied:
            return
        with contextlib.suppress(ProviderError):  # the next look tries again
            await self.api.delete(self.api.path("secrets", found.job.metadata.name))
            self._emptied.add(found.id)

    async def _delete(self, found: Sandbox) -> None:
        metadata = found.metadata
        if metadata.deletion_timestamp:
            return
        path = (
            self.api.path("jobs", metadata.name, BATCH)
            if found.job
            else self.api.path("pods", metadata.name)
        )
        try:
            await self.api.delete(
                path, uid=metadata.uid, propagation="Foreground" if found.job else ""
            )
        except Conflicting:  # another one has the name: this one is gone
            return

    async def _fetch(self, key: Key) -> Sandbox | None:
        """By name, and by id once it is known; a pod whose Job is gone is a sandbox, too."""
        name = _check_name(key.name)
        job = await self._job(name)
        if job is not None and key.id in (None, job.metadata.uid):
            pod = await self._pod(job.metadata.uid, name)
            return self._of_job(job, pod, () if pod else await self._events(job))
        pods, _ = await self._pods(name)
        left = [pod for pod in pods if key.id is None or key.id in _owners(pod)]
        return self._of_pod(left[0]) if left else None

    async def _job(self, name: str) -> Job | None:
        return await self.api.find(self.api.path("jobs", name, BATCH), Job)

    async def _pods(self, name: str) -> tuple[list[Pod], str]:
        return await self.api.list_all(self.api.path("pods"), Pod, f"{NAME_LABEL}={name}")

    async def _pod(self, uid: str, name: str) -> Pod | None:
        """The first, and only, pod of a Job."""
        pods, _ = await self._pods(name)
        mine = (pod for pod in pods if uid in _owners(pod))
        return min(mine, key=lambda pod: pod.metadata.creation_timestamp or "", default=None)

    async def _events(self, job: Job) -> Iterable[Event]:
        """The reasons for which the Job's controller makes no pod."""
        if job.spec.suspend or job.failure is not None:
            return ()
        selector = f"involvedObject.uid={job.metadata.uid},reason=FailedCreate"
        path = self.api.path("events")
        found = await self.api.get(path, Listed[Event], {"fieldSelector": selector})
        return found.items

    def _of_job(self, job: Job, pod: Pod | None, events: Iterable[Event] = ()) -> Sandbox:
        limits = self.settings.limits
        return Sandbox(metadata=job.metadata, job=job, pod=pod, events=tuple(events), limits=limits)

    def _of_pod(self, pod: Pod) -> Sandbox:
        """A pod that a deleted Job has left."""
        return Sandbox(metadata=pod.metadata, job=None, pod=pod, limits=self.settings.limits)


def _let_go_patch(job: Job) -> dict[str, object]:
    return {
        "metadata": {
            "resourceVersion": job.metadata.resource_version,
            "annotations": {STARTED: "true"},
        },
        "spec": {"suspend": False},
    }


def _owners(pod: Pod) -> tuple[str, ...]:
    return tuple(each.uid for each in pod.metadata.owner_references)


def _check_name(name: str) -> str:
    if not _NAME.fullmatch(name):
        raise ProviderError("invalid_name", "the sandbox's name is not ours")
    return name


def _check_label(value: str) -> str:
    if not _LABEL.fullmatch(value):
        raise ProviderError("invalid_name", "the instance's name is not ours")
    return value
