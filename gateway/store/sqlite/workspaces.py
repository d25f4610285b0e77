"""Workspaces in SQL: which task stands for a frontend's own id."""

import json
from collections.abc import Sequence
from typing import Final

import aiosqlite

from gateway.domain.kernel.unit_of_work import UnitOfWork
from gateway.domain.sources.workspace import Workspace, WorkspaceKey
from gateway.store.sqlite.rows import Params

WORKSPACES: Final = """
SELECT project, external_id, task_id, repo_url, branch FROM workspaces
WHERE (project, external_id) IN (
    SELECT json_extract(value, '$[0]'), json_extract(value, '$[1]') FROM json_each(:keys))"""

INSERT_WORKSPACES: Final = """
INSERT OR REPLACE INTO workspaces (project, external_id, task_id, repo_url, branch)
VALUES (?, ?, ?, ?, ?)"""

DELETE_WORKSPACES: Final = """
DELETE FROM workspaces WHERE task_id IN (SELECT value FROM json_each(:ids))"""

REPLACE_ENV: Final = """
INSERT INTO task_secrets (task_id, key_id, env) VALUES (?, ?, ?)
ON CONFLICT (task_id) DO UPDATE SET
    key_id = excluded.key_id, env = excluded.env, env_erased_at = NULL"""


async def load_workspaces(
    connection: aiosqlite.Connection, view: UnitOfWork, keys: Sequence[WorkspaceKey]
) -> set[str]:
    """Those of these keys; the tasks they stand for."""
    if not keys:
        return set()
    found = await connection.execute_fetchall(WORKSPACES, {"keys": json.dumps(keys)})
    for project, external_id, task_id, repo_url, branch in found:
        view.workspaces[project, external_id] = Workspace(
            project=project,
            external_id=external_id,
            task_id=task_id,
            repo_url=repo_url,
            branch=branch,
        )
    return {row[2] for row in found}


def workspace_values(workspace: Workspace) -> Params:
    """The columns of `workspaces`."""
    return (
        workspace.project,
        workspace.external_id,
        workspace.task_id,
        workspace.repo_url,
        workspace.branch,
    )
