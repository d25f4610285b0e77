"""Messages by the names that people use: the very types that the OpenAPI document is made of."""

from typing import Any

from gateway.wire.agent import Accepted, FlatAccepted, Prompt, ResumedPatch
from gateway.wire.bulk import BulkFilter, BulkPreview
from gateway.wire.bulk import BulkView as ListedBulk
from gateway.wire.bulk import WholeBulkView as Bulk
from gateway.wire.deliveries import DeliveryAttemptView as DeliveryAttempt
from gateway.wire.deliveries import DeliveryView as Delivery
from gateway.wire.endpoints import DeletedEndpoint, NewEndpointView
from gateway.wire.endpoints import EndpointView as Endpoint
from gateway.wire.endpoints import ReplayView as Replay
from gateway.wire.endpoints import SecretView as EndpointSecret
from gateway.wire.github_tokens import GitHubToken
from gateway.wire.keys import AuditEntryView as AuditEntry
from gateway.wire.keys import KeyView as Key
from gateway.wire.keys import NewKeyView
from gateway.wire.keys import WantedRateLimit as RateLimit
from gateway.wire.operations import LauncherView as Launcher
from gateway.wire.operations import ReconcileView as Reconciliation
from gateway.wire.operations import StatusView as Status
from gateway.wire.operations import SweepsView as Sweeps
from gateway.wire.own_events import DeletedEventType, ExpiredPortalLinks
from gateway.wire.own_events import EventTypeView as EventType
from gateway.wire.own_events import PortalLinkView as PortalLink
from gateway.wire.own_events import PostedEventsView as PostedEvents
from gateway.wire.own_events import PostedEventView as PostedEvent
from gateway.wire.sources import Received
from gateway.wire.switches import SwitchesView as Switches
from gateway.wire.tasks import AgentSpec as Agent
from gateway.wire.tasks import EventFields, LogChunk, Page, StreamToken, WholeTaskView
from gateway.wire.tasks import ExplanationView as Explanation
from gateway.wire.tasks import ReceiptsView as Receipts
from gateway.wire.tasks import TimeoutSpec as Timeouts
from gateway.wire.workspace import WorkspaceMade as NewWorkspace
from gateway.wire.workspace import Workspaces
from gateway.wire.workspace import WorkspaceView as Workspace

__all__ = [
    "Accepted",
    "Agent",
    "AuditEntry",
    "Bulk",
    "BulkFilter",
    "BulkPreview",
    "DeletedEndpoint",
    "DeletedEventType",
    "Delivery",
    "DeliveryAttempt",
    "Endpoint",
    "EndpointSecret",
    "Event",
    "EventType",
    "ExpiredPortalLinks",
    "Explanation",
    "FlatAccepted",
    "GitHubToken",
    "Key",
    "Launcher",
    "ListedBulk",
    "LogChunk",
    "NewEndpoint",
    "NewKey",
    "NewWorkspace",
    "Page",
    "PortalLink",
    "PostedEvent",
    "PostedEvents",
    "Prompt",
    "RateLimit",
    "Receipts",
    "Received",
    "Reconciliation",
    "Replay",
    "ResumedPatch",
    "Status",
    "StreamToken",
    "Sweeps",
    "Switches",
    "Task",
    "Timeouts",
    "Workspace",
    "Workspaces",
]


class Task(WholeTaskView, frozen=True, kw_only=True):
    """A task; `attempts` and `deliveries` are UNSET unless `include` asked for them."""


class Event(EventFields, frozen=True, kw_only=True):
    """An event; its `data` has the fields of its type, in the names of JSON."""

    data: dict[str, Any]


class NewEndpoint(NewEndpointView, frozen=True, kw_only=True):
    """A new endpoint and its secret; a dry run has none."""

    secret: str | None = None


class NewKey(NewKeyView, frozen=True, kw_only=True):
    """A new key; a dry run has an empty one."""

    key: str = ""
    callback_secret: str | None = None
