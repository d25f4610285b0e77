"""Messages of Daytona and GitHub in SQL: which came before, and what they are about."""

import json
from collections.abc import Iterable, Sequence
from typing import Final

import aiosqlite

from gateway.domain.kernel.unit_of_work import UnitOfWork
from gateway.domain.sources.message import (
    Message,
    PullRequestNotice,
    SandboxNotice,
    Seen,
)
from gateway.store.sqlite.rows import Params, Row

# Joined, not IN: only so SQLite seeks in the indexes.
MESSAGES_SEEN: Final = """
SELECT message.source, message.id, message.body_hash, message.applied, message.at
FROM json_each(:keys) AS wanted CROSS JOIN source_messages AS message
    ON message.source = json_extract(wanted.value, '$[0]')
    AND message.id = json_extract(wanted.value, '$[1]')"""

MESSAGES_SAID: Final = """
SELECT message.source, message.body_hash
FROM json_each(:keys) AS wanted CROSS JOIN source_messages AS message
    ON message.source = json_extract(wanted.value, '$[0]')
    AND message.body_hash = json_extract(wanted.value, '$[2]') AND message.applied = 1"""

SANDBOXES_NAMED: Final = """
SELECT wanted.value, attempt.task_id, attempt.number
FROM json_each(:ids) AS wanted CROSS JOIN attempts AS attempt
    ON json_extract(attempt.sandbox, '$.id') = wanted.value
    AND attempt.provider GLOB 'daytona-*'"""

# Several tasks may have worked on one pull request, but nobody's can be made to write for ever.
PULL_REQUESTS_NAMED: Final = """
SELECT wanted.value, task.id
FROM json_each(:urls) AS wanted CROSS JOIN tasks AS task
    ON task.pr_url COLLATE NOCASE = wanted.value AND task.pr_url IS NOT NULL
LIMIT 100"""

UPSERT_MESSAGES: Final = """
INSERT OR REPLACE INTO source_messages (source, id, body_hash, applied, at)
VALUES (?, ?, ?, ?, ?)"""

FORGET_MESSAGES: Final = """
DELETE FROM source_messages WHERE (source, id) IN (
    SELECT source, id FROM source_messages WHERE at <= :before LIMIT 2000)"""

Notice = SandboxNotice | PullRequestNotice


async def load_notices(
    connection: aiosqlite.Connection, view: UnitOfWork, notices: Sequence[Notice]
) -> set[str]:
    """What of these messages came before, and what they are about; the tasks concerned."""
    messages = [notice.message for notice in notices]
    keys = {"keys": json.dumps([(said.source, said.id, said.body_hash) for said in messages])}
    for row in await connection.execute_fetchall(MESSAGES_SEEN, keys):
        view.seen[row[0], row[1]] = _seen(row)
    said = await connection.execute_fetchall(MESSAGES_SAID, keys)
    view.said = {(row[0], row[1]) for row in said}
    sandboxes = [notice.sandbox_id for notice in notices if isinstance(notice, SandboxNotice)]
    urls = [notice.url for notice in notices if isinstance(notice, PullRequestNotice)]
    return {
        *_found_sandboxes(
            view, await connection.execute_fetchall(SANDBOXES_NAMED, {"ids": json.dumps(sandboxes)})
        ),
        *_found_pull_requests(
            view, await connection.execute_fetchall(PULL_REQUESTS_NAMED, {"urls": json.dumps(urls)})
        ),
    }


def message_values(seen: Seen) -> Params:
    """The columns of `source_messages`."""
    message = seen.message
    return (message.source, message.id, message.body_hash, seen.applied, seen.at)


def _seen(row: Row) -> Seen:
    source, name, body_hash, applied, at = row
    message = Message(source=source, id=name, body_hash=body_hash)
    return Seen(message=message, applied=bool(applied), at=at)


def _found_sandboxes(view: UnitOfWork, rows: Iterable[Row]) -> set[str]:
    view.sandboxes = {}
    for sandbox_id, task_id, number in rows:
        known = view.sandboxes.get(sandbox_id, ())
        view.sandboxes[sandbox_id] = tuple(dict.fromkeys((*known, (task_id, number))))
    return {task_id for keys in view.sandboxes.values() for task_id, _ in keys}


def _found_pull_requests(view: UnitOfWork, rows: Iterable[Row]) -> set[str]:
    view.pull_requests = {}
    for url, task_id in rows:
        known = view.pull_requests.get(url, ())
        view.pull_requests[url] = tuple(dict.fromkeys((*known, task_id)))
    return {task_id for ids in view.pull_requests.values() for task_id in ids}
