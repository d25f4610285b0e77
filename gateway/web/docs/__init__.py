"""What documents each route: one `Operation` per handler, with examples of the real messages."""

from gateway.web.docs import agents, events, launchers, operators, results, tasks, workspaces

__all__ = ["agents", "events", "launchers", "operators", "results", "tasks", "workspaces"]
