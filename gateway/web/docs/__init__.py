"""What documents each route: one `Operation` per handler, with examples of the real messages."""

from gateway.web.docs import (
    agents,
    endpoints,
    events,
    launchers,
    operators,
    results,
    sources,
    tasks,
    workspaces,
)

__all__ = [
    "agents",
    "endpoints",
    "events",
    "launchers",
    "operators",
    "results",
    "sources",
    "tasks",
    "workspaces",
]
