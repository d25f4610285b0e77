"""The groups of operations, in the order in which the document has them."""

from typing import Final

SENT: Final = "Webhooks sent"
TAGS: Final = {
    "Tasks": "Hand over work, follow it, stop it, try it again. A task has one or more attempts, "
    "each in a sandbox of its own.",
    "Events": "All that happened, in order, with a number for each event: as pages, by long poll "
    "or as server-sent events.",
    "Results": "What an attempt has left: the log, the patch, the receipts of its validation, the "
    "record of the agent's turns.",
    "Bulk": "One action on all tasks that match a filter. It goes on across a restart.",
    "Webhooks": "Endpoints that get events, what was delivered to them, and replays.",
    SENT: "What a `callbackUrl` or an endpoint gets, one entry for each event type: signed by "
    "Standard Webhooks, repeated for days until it is answered by 2xx.",
    "Workspaces (drop-in)": "The API that today's frontend calls: a workspace is a task.",
    "Operations": "The state of the installation, its switches, launchers and sweeps; probes and "
    "documents for everybody.",
    "Access": "API keys, and the audit log of all changes.",
    "Agents": "For programs in sandboxes: they report how the task goes and fetch what they need.",
    "Services": "Webhooks of Daytona and GitHub.",
    "Launchers": "The protocol by which launchers claim jobs and report on them.",
}
"""Tag → description."""
