"""What a letter is addressed and signed with."""

from typing import Final

from gateway.domain.sealing import Sealed
from gateway.domain.task import Frozen
from gateway.store.deliveries import Query

TARGET: Final = """
SELECT project, implicit, url_key_id, url, headers_key_id, headers FROM endpoints
WHERE id = :endpoint_id"""

# The newest first: an attempt records it. A project's own one is sealed to its row there.
LIVE_SECRETS: Final = """
SELECT id, 0, key_id, secret, expires_at IS NULL AS is_newest FROM signing_secrets
WHERE project = :project AND endpoint_id IS :endpoint_id
  AND (expires_at IS NULL OR expires_at > :now)
UNION ALL
SELECT secret_id, 1, key_id, callback_secret, expires_at IS NULL FROM projects
WHERE name = :project AND :endpoint_id IS NULL AND callback_secret <> x''
  AND (expires_at IS NULL OR expires_at > :now)
ORDER BY is_newest DESC"""

# Only the next ones of its lane are looked at: a long one must not cost more for each of its heads.
NEWER_OF_TYPE: Final = """
SELECT 1 FROM (
    SELECT seq FROM deliveries INDEXED BY deliveries_lane
    WHERE endpoint_id = :endpoint_id AND task_id = :task_id AND status = 'pending'
      AND task_seq > :task_seq
    ORDER BY task_seq LIMIT 64) AS behind
CROSS JOIN events AS event ON event.seq = behind.seq
WHERE event.type = :type LIMIT 1"""


OVERTAKEN: Final = """
SELECT 1 FROM deliveries INDEXED BY deliveries_of_task
WHERE task_id = :task_id AND endpoint_id = :endpoint_id AND task_seq > :task_seq
  AND (status = 'delivered' OR attempts > 0) LIMIT 1"""


class Target(Frozen, frozen=True, kw_only=True):
    """Where an endpoint's letters go."""

    project: str
    is_implicit: bool
    """Each task brings its own address."""
    url: Sealed | None
    headers: Sealed | None


class LiveSecret(Frozen, frozen=True, kw_only=True):
    """A secret that letters are signed with now."""

    id: str
    is_of_project: bool
    """It stands in the row of its project, and is sealed to it."""
    sealed: Sealed


async def target_of(query: Query, endpoint_id: str) -> Target | None:
    """The address of an endpoint, and the headers that people gave it."""
    for row in await query(TARGET, {"endpoint_id": endpoint_id}):
        return Target(
            project=row[0],
            is_implicit=bool(row[1]),
            url=_sealed(row[2], row[3]),
            headers=_sealed(row[4], row[5]),
        )
    return None


async def live_secrets(
    query: Query, project: str, endpoint_id: str | None, now: int
) -> list[LiveSecret]:
    """Those of an endpoint, or (None) of a project's callbacks; the newest first."""
    given = {"project": project, "endpoint_id": endpoint_id, "now": now}
    return [
        LiveSecret(id=row[0], is_of_project=bool(row[1]), sealed=Sealed(key_id=row[2], box=row[3]))
        for row in await query(LIVE_SECRETS, given)
    ]


async def has_newer(query: Query, endpoint_id: str, task_id: str, task_seq: int, kind: str) -> bool:
    """Whether an event of the same type waits soon behind this one in its lane."""
    given = {"endpoint_id": endpoint_id, "task_id": task_id, "task_seq": task_seq, "type": kind}
    return bool(list(await query(NEWER_OF_TYPE, given)))


async def is_overtaken(query: Query, endpoint_id: str, task_id: str, task_seq: int) -> bool:
    """Whether a later event of the task has been sent to the endpoint."""
    given = {"endpoint_id": endpoint_id, "task_id": task_id, "task_seq": task_seq}
    return bool(list(await query(OVERTAKEN, given)))


def _sealed(key_id: str | None, box: bytes | None) -> Sealed | None:
    return None if key_id is None or box is None else Sealed(key_id=key_id, box=box)
