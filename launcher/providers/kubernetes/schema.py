"""Objects of the Kubernetes API, as far as they are read; unknown fields are ignored."""

from typing import Final, Generic, TypeVar

import msgspec

NAME_LABEL: Final = "slipgate-sandbox"
"""On Job, pod and Secret alike: the sandbox's name."""
SNAPSHOT: Final = "slipgate-snapshot"
"""An annotation: the snapshot as the job names it is no value of a label."""
STARTED: Final = "slipgate-started"
"""An annotation: the Job was given its variables and let go, which happens once."""
AGENT: Final = "agent"
SIDECAR: Final = "spool"

T = TypeVar("T")


class _Object(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """Base of all objects."""


class OwnerReference(_Object, frozen=True, kw_only=True):
    uid: str


class Metadata(_Object, frozen=True, kw_only=True):
    name: str = ""
    uid: str = ""
    resource_version: str = ""
    creation_timestamp: str | None = None
    deletion_timestamp: str | None = None
    labels: dict[str, str] = {}
    annotations: dict[str, str] = {}
    owner_references: tuple[OwnerReference, ...] = ()


class Condition(_Object, frozen=True, kw_only=True):
    type: str
    status: str
    reason: str = ""
    message: str = ""

    @property
    def text(self) -> str:
        return ": ".join(filter(None, (self.reason, self.message)))


class JobSpec(_Object, frozen=True, kw_only=True):
    suspend: bool = False


class JobStatus(_Object, frozen=True, kw_only=True):
    conditions: tuple[Condition, ...] = ()
    failed: int = 0


class Job(_Object, frozen=True, kw_only=True):
    metadata: Metadata
    spec: JobSpec = JobSpec()
    status: JobStatus = JobStatus()

    @property
    def is_unstarted(self) -> bool:
        """True if its creator died before it was let go."""
        return self.spec.suspend and STARTED not in self.metadata.annotations

    @property
    def failure(self) -> Condition | None:
        """The reason of its end; a suspended and a resumed Job have conditions, too."""
        failed = (each for each in self.status.conditions if each.type == "Failed")
        return next((each for each in failed if each.status == "True"), None)


class Waiting(_Object, frozen=True, kw_only=True):
    reason: str = ""
    message: str = ""


class Terminated(_Object, frozen=True, kw_only=True):
    exit_code: int = 0
    reason: str = ""
    message: str = ""


class ContainerState(_Object, frozen=True, kw_only=True):
    waiting: Waiting | None = None
    running: dict[str, str] | None = None
    terminated: Terminated | None = None


class ContainerStatus(_Object, frozen=True, kw_only=True):
    name: str
    state: ContainerState = ContainerState()


class PodStatus(_Object, frozen=True, kw_only=True):
    phase: str = "Unknown"
    reason: str = ""
    message: str = ""
    conditions: tuple[Condition, ...] = ()
    init_container_statuses: tuple[ContainerStatus, ...] = ()
    container_statuses: tuple[ContainerStatus, ...] = ()


class Pod(_Object, frozen=True, kw_only=True):
    metadata: Metadata
    status: PodStatus = PodStatus()

    @property
    def is_over(self) -> bool:
        return self.status.phase in ("Succeeded", "Failed")

    def container(self, name: str) -> ContainerState:
        found = (each.state for each in self.status.container_statuses if each.name == name)
        return next(found, ContainerState())

    def condition(self, kind: str) -> Condition | None:
        return next((each for each in self.status.conditions if each.type == kind), None)


class Event(_Object, frozen=True, kw_only=True):
    """Of the kind `Event`: what a controller tells of an object."""

    reason: str = ""
    message: str = ""


class AnyObject(_Object, frozen=True, kw_only=True):
    metadata: Metadata


class ListMetadata(_Object, frozen=True, kw_only=True):
    resource_version: str = ""
    continue_: str = msgspec.field(name="continue", default="")


class Listed(_Object, Generic[T], frozen=True, kw_only=True):
    metadata: ListMetadata = ListMetadata()
    items: tuple[T, ...] = ()


class WatchEvent(_Object, frozen=True, kw_only=True):
    """A line of a watch: `object` is a whole object, or a `Status` if the type is ERROR."""

    type: str
    object: msgspec.Raw
