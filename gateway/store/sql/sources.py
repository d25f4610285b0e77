"""Sources in the store: messages of Daytona and GitHub, and the workspaces of frontends."""

# ruff: noqa: S608 - what is put into a statement here is a constant list of columns

from collections import defaultdict
from collections.abc import Iterator, Sequence
from typing import Final

from gateway.domain.kernel.unit_of_work import UnitOfWork
from gateway.domain.sources.message import AboutPullRequest, Message, SandboxNotice, Seen
from gateway.store.sql import rows
from gateway.store.sql.part import Loading
from gateway.store.sql.rows import WORKSPACE, Params

# Joined, not IN: only so SQLite seeks in the indexes.
MESSAGES_SEEN: Final = """
SELECT message.source, message.id, message.body_hash, message.applied, message.at
FROM json_each(:keys) AS wanted CROSS JOIN source_messages AS message
    ON message.source = json_extract(wanted.value, '$[0]')
    AND message.id = json_extract(wanted.value, '$[1]')"""

BODIES_APPLIED: Final = """
SELECT message.source, message.body_hash
FROM json_each(:keys) AS wanted CROSS JOIN source_messages AS message
    ON message.source = json_extract(wanted.value, '$[0]')
    AND message.body_hash = json_extract(wanted.value, '$[2]') AND message.applied = 1"""

SANDBOXES_NAMED: Final = """
SELECT wanted.value, attempt.task_id, attempt.number
FROM json_each(:ids) AS wanted CROSS JOIN attempts AS attempt
    ON json_extract(attempt.sandbox, '$.id') = wanted.value
    AND attempt.provider GLOB 'daytona-*'"""

# Several tasks may have worked on one pull request, but nobody's can be made to write for ever, nor
# to hide those of the batch's other pull requests, or its own follow-ups.
PULL_REQUESTS_NAMED: Final = """
SELECT wanted.value, found.id
FROM json_each(:urls) AS wanted CROSS JOIN tasks AS found ON found.id IN (
    SELECT task.id FROM tasks AS task
    WHERE task.pr_url COLLATE NOCASE = wanted.value AND task.pr_url IS NOT NULL LIMIT 100)
UNION ALL
SELECT wanted.value, found.id
FROM json_each(:urls) AS wanted CROSS JOIN tasks AS found ON found.id IN (
    SELECT task.id FROM tasks AS task
    WHERE task.follow_up_of COLLATE NOCASE = wanted.value AND task.follow_up_of IS NOT NULL
    LIMIT 100)"""

UPSERT_MESSAGES: Final = """
INSERT INTO source_messages (source, id, body_hash, applied, at)
VALUES (:source, :id, :body_hash, :applied, :at)
ON CONFLICT (source, id) DO UPDATE SET
    body_hash = excluded.body_hash, applied = excluded.applied, at = excluded.at"""

DELETE_OLD_MESSAGES: Final = """
DELETE FROM source_messages WHERE (source, id) IN (
    SELECT source, id FROM source_messages WHERE at <= :before ORDER BY at LIMIT 2000)"""

WORKSPACES: Final = f"""
SELECT {WORKSPACE} FROM workspaces
WHERE (project, external_id) IN (
    SELECT json_extract(value, '$[0]'), json_extract(value, '$[1]') FROM json_each(:keys))"""

UPSERT_WORKSPACES: Final = WORKSPACE.upsert("workspaces", "project", "external_id")


async def load_messages(loading: Loading) -> None:
    """The messages that came before, and the tasks that these are about."""
    messages, notices = loading.unit.messages, loading.wanted.notices
    if not notices:
        return
    keys = [(it.message.source, it.message.id, it.message.body_hash) for it in notices]
    for source, name, body_hash, applied, at in await loading.of(MESSAGES_SEEN, keys, "keys"):
        message = Message(source=source, id=name, body_hash=body_hash)
        messages[source, name] = Seen(message=message, applied=bool(applied), at=at)
    found = await loading.of(BODIES_APPLIED, keys, "keys")
    messages.applied.update((source, body_hash) for source, body_hash in found)
    ids = {notice.sandbox_id for notice in notices if isinstance(notice, SandboxNotice)}
    attempts: dict[str, dict[tuple[str, int], None]] = defaultdict(dict)
    for sandbox_id, task_id, number in await loading.of(SANDBOXES_NAMED, ids):
        attempts[sandbox_id][task_id, number] = None
        loading.tasks.add(task_id)
    urls = {notice.url for notice in notices if isinstance(notice, AboutPullRequest)}
    tasks: dict[str, dict[str, None]] = defaultdict(dict)
    for url, task_id in await loading.of(PULL_REQUESTS_NAMED, urls, "urls"):
        tasks[url][task_id] = None
        loading.tasks.add(task_id)
    messages.sandboxes = {name: tuple(found) for name, found in attempts.items()}
    messages.pull_requests = {url: tuple(found) for url, found in tasks.items()}


def write_messages(unit: UnitOfWork, _first: int) -> Iterator[tuple[str, Sequence[Params]]]:
    """Messages that came."""
    changed = unit.messages.changes
    yield (
        UPSERT_MESSAGES,
        [rows.named(it.message) | {"applied": it.applied, "at": it.at} for it in changed],
    )


async def load_workspaces(loading: Loading) -> None:
    """Workspaces, with their tasks."""
    unit = loading.unit
    found = await loading.of(WORKSPACES, loading.wanted.workspaces, "keys")
    unit.workspaces.load(map(WORKSPACE.read, found))
    loading.tasks.update(workspace.task_id for workspace in unit.workspaces.values())
