"""Names of the TypeScript client where the rule gives none that people use."""

from typing import Final

METHODS: Final = {
    "issueStreamToken": "createStreamToken",
    "listBulk": "bulkActions",
    "rehearseReconciler": "reconcile",
    "startBulk": "bulk",
}
"""By `operationId`."""
TYPES: Final = {
    "AgentSpec": "NewAgent",
    "AlertNotice": "OpsWebhook",
    "AlertNoticeData": "OpsWebhookData",
    "BulkView": "BulkAction",
    "EndpointNotice": "EndpointWebhook",
    "EndpointNoticeData": "EndpointWebhookData",
    "EndpointPatch": "EndpointChanges",
    "ErrorView": "TaskError",
    "EventTypeView": "EventTypeDefinition",
    "NewEndpointView": "CreatedEndpoint",
    "NewKeyView": "CreatedKey",
    "Notice": "TaskWebhook",
    "NoticeData": "TaskWebhookData",
    "Problem": "ProblemDetails",
    "ProblemView": "StatusProblem",
    "StepView": "NextStep",
    "StripView": "StatusCounts",
    "TimeoutSpec": "Timeouts",
    "WholeBulkView": "BulkActionDetails",
    "WholeTaskView": "TaskDetails",
    "WorkspaceMade": "CreatedWorkspace",
}
"""By schema; the others lose a `View` at their end."""
ENUMS: Final = {
    "TaskStatus": ("TaskView", "status"),
    "EventType": ("EventView", "type"),
    "TaskEventType": ("Notice", "type"),
    "EndpointEventType": ("EndpointNotice", "type"),
    "OpsEventType": ("AlertNotice", "type"),
    "FlagCode": ("FlagView", "code"),
    "SandboxState": ("SandboxView", "state"),
    "DeliveryStatus": ("DeliveryView", "status"),
    "KeyScope": ("KeyView", "scope"),
}
"""Unions of texts with a name of their own, by the field that has them."""
FAMILIES: Final = {
    400: "InvalidRequestError",
    401: "AuthenticationError",
    403: "PermissionError",
    404: "NotFoundError",
    409: "ConflictError",
    410: "GoneError",
    429: "RateLimitError",
    500: "ServerError",
    503: "UnavailableError",
}
"""The class of errors of a status; another 4xx has that of 400, another 5xx that of 500."""
HANDWRITTEN: Final = frozenset(
    {"EventView", "Notice", "EndpointNotice", "AlertNotice", "OwnEventNotice"}
)
"""Schemas whose types depend on the type of their event."""
EVENT_DATA: Final = {
    "task.started": "TaskStartedData",
    "task.progress": "TaskProgressData",
    "task.log": "TaskLogData",
    "task.patch": "TaskPatchData",
    "task.trajectory": "TaskTrajectoryData",
    "task.usage": "TaskUsageData",
    "task.pr_created": "TaskPrCreatedData",
    "task.completed": "TaskCompletedData",
    "task.needs_review": "TaskNeedsReviewData",
    "task.failed": "TaskFailedData",
    "task.timed_out": "TaskFailedData",
    "task.cancelled": "TaskFailedData",
    "task.expired": "TaskFailedData",
    "task.stalled": "{ code?: FlagCode; detail?: string; [field: string]: unknown }",
    "task.recovered": "{ code?: FlagCode; [field: string]: unknown }",
    "endpoint.failing": "EndpointNoticeData",
    "endpoint.disabled": "EndpointNoticeData",
    "endpoint.recovered": "EndpointNoticeData",
    "ops.launcher_lost": "AlertNoticeData",
    "ops.queue_old": "AlertNoticeData",
    "ops.disk_low": "AlertNoticeData",
    "ops.provider_down": "AlertNoticeData",
}
"""The `data` of an event: a type, or a schema whose fields it has, each of them optional, since
what an agent sends may be cut."""
NOT_IN_DATA: Final = frozenset({"taskId", "attempt", "event"})
"""Fields of those schemas that stand beside `data`."""
EXTENDED: Final = {
    "NewEndpointView": "EndpointView",
    "NewKeyView": "KeyView",
    "WholeBulkView": "BulkView",
    "WholeTaskView": "TaskView",
}
"""Schemas that have all of another one's fields, and more."""
SAFE: Final = frozenset(
    {
        "abortBulk",
        "disableEndpoint",
        "drainLauncher",
        "enableEndpoint",
        "issueStreamToken",
        "purgeTask",
        "resumeLauncher",
        "revokeKey",
        "revokeLauncher",
        "stopWorkspace",
    }
)
"""POSTs without an Idempotency-Key that may be sent twice, by `operationId`."""
