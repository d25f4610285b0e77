"""What letters are made of, addressed to, and signed with: of all that leave together, at once."""

import json
from collections import defaultdict
from collections.abc import Collection
from typing import Final

import msgspec

from gateway.domain.deliveries.outbox import DeliveryKey
from gateway.domain.kernel.sealing import Sealed
from gateway.domain.tasks.spec import Spec
from gateway.store.records import DeliveryContext, LiveSecret, SecretOwner, Target
from gateway.store.sqlite import rows
from gateway.store.sqlite.deliveries import Query
from gateway.store.sqlite.rows import Row
from gateway.store.sqlite.tasks import EVENT_COLUMNS, TASK_COLUMNS

# ruff: noqa: S608 - what is put into a statement here is a constant list of columns

_EVENT: Final = tuple(name.strip() for name in EVENT_COLUMNS.split(","))
_TASK: Final = tuple(name.strip() for name in TASK_COLUMNS.split(","))
_TARGET: Final = """
    endpoint.project, endpoint.implicit, endpoint.url_key_id, endpoint.url,
    endpoint.headers_key_id, endpoint.headers"""
_TARGET_COLUMNS: Final = _TARGET.count(",") + 1
_SPEC: Final = msgspec.json.Decoder(Spec)

# Only the next ones of a lane are looked at: a long one must not cost more for each of its heads.
LETTERS: Final = f"""
SELECT
    {", ".join(f"event.{name}" for name in _EVENT)},
    {", ".join(f"task.{name}" for name in _TASK)},
    {_TARGET}, first.data, secret.callback_key_id, secret.callback_url, EXISTS (
        SELECT 1 FROM (
            SELECT seq FROM deliveries INDEXED BY deliveries_lane
            WHERE endpoint_id = delivery.endpoint_id AND task_id = delivery.task_id
              AND status = 'pending' AND task_seq > delivery.task_seq
            ORDER BY task_seq LIMIT 64) AS behind
        CROSS JOIN events AS newer ON newer.seq = behind.seq
        WHERE newer.type = event.type),
    CAST(delivery.body AS BLOB), delivery.endpoint_id
FROM json_each(:keys) AS wanted
CROSS JOIN deliveries AS delivery
    ON delivery.endpoint_id = json_extract(wanted.value, '$[0]')
    AND delivery.seq = json_extract(wanted.value, '$[1]')
CROSS JOIN events AS event ON event.seq = delivery.seq
CROSS JOIN endpoints AS endpoint ON endpoint.id = delivery.endpoint_id
LEFT JOIN tasks AS task ON task.id = delivery.task_id
LEFT JOIN events AS first ON first.task_id = task.id AND first.task_seq = 1
LEFT JOIN task_secrets AS secret ON secret.task_id = delivery.task_id"""

TARGET: Final = f"SELECT {_TARGET} FROM endpoints AS endpoint WHERE id = :endpoint_id"

# The newest first: an attempt records it. A project's own one is sealed to its row there.
LIVE_SECRETS: Final = """
SELECT
    secret.project, secret.endpoint_id, secret.id, 0, secret.key_id, secret.secret,
    secret.expires_at IS NULL AS is_newest
FROM json_each(:owners) AS wanted
CROSS JOIN signing_secrets AS secret ON secret.project = json_extract(wanted.value, '$[0]')
    AND secret.endpoint_id IS json_extract(wanted.value, '$[1]')
WHERE secret.expires_at IS NULL OR secret.expires_at > :now
UNION ALL
SELECT name, NULL, secret_id, 1, key_id, callback_secret, expires_at IS NULL
FROM json_each(:owners) AS wanted
CROSS JOIN projects ON name = json_extract(wanted.value, '$[0]')
WHERE json_extract(wanted.value, '$[1]') IS NULL AND callback_secret <> x''
  AND (expires_at IS NULL OR expires_at > :now)
ORDER BY is_newest DESC"""

OVERTAKEN: Final = """
SELECT 1 FROM deliveries INDEXED BY deliveries_of_task
WHERE task_id = :task_id AND endpoint_id = :endpoint_id AND seq > :seq
  AND (status = 'delivered' OR attempts > 0) LIMIT 1"""


async def delivery_contexts(
    query: Query, keys: Collection[DeliveryKey], now: int
) -> dict[DeliveryKey, DeliveryContext]:
    """Those of deliveries that are still kept."""
    found = list(await query(LETTERS, {"keys": json.dumps([*keys])}))
    targets = {row[-1]: _target(row[_TARGET_AT:_SPEC_AT]) for row in found}
    owners = {name: _owner(name, target) for name, target in targets.items()}
    secrets = await live_secrets(query, set(owners.values()), now)
    return {
        (row[-1], row[_SEQ_AT]): _enclosure(row, targets[row[-1]], secrets[owners[row[-1]]])
        for row in found
    }


async def target_of(query: Query, endpoint_id: str) -> Target | None:
    """The address of an endpoint, and the headers that people gave it."""
    for row in await query(TARGET, {"endpoint_id": endpoint_id}):
        return _target(row)
    return None


async def live_secrets(
    query: Query, owners: Collection[SecretOwner], now: int
) -> dict[SecretOwner, tuple[LiveSecret, ...]]:
    """What the letters of each are signed with now; the newest first."""
    found: defaultdict[SecretOwner, list[LiveSecret]] = defaultdict(list)
    for row in await query(LIVE_SECRETS, {"owners": json.dumps([*owners]), "now": now}):
        found[row[0], row[1]].append(
            LiveSecret(
                id=row[2], is_of_project=bool(row[3]), sealed=Sealed(key_id=row[4], box=row[5])
            )
        )
    return {owner: tuple(found[owner]) for owner in owners}


async def is_overtaken(query: Query, endpoint_id: str, task_id: str, seq: int) -> bool:
    """Whether a later event of the task than this number has been sent to the endpoint."""
    given = {"endpoint_id": endpoint_id, "task_id": task_id, "seq": seq}
    return bool(list(await query(OVERTAKEN, given)))


_SEQ_AT: Final = _EVENT.index("seq")
_TARGET_AT: Final = len(_EVENT) + len(_TASK)
_SPEC_AT: Final = _TARGET_AT + _TARGET_COLUMNS


def _owner(endpoint_id: str, target: Target) -> SecretOwner:
    return (target.project, None if target.is_implicit else endpoint_id)


def _enclosure(row: Row, target: Target, secrets: tuple[LiveSecret, ...]) -> DeliveryContext:
    task = row[len(_EVENT) : _TARGET_AT]
    spec, callback_key_id, callback_url, has_newer, body = row[_SPEC_AT:-1]
    return DeliveryContext(
        event=rows.event_from_row(row[: len(_EVENT)]),
        asked=None if spec is None else (rows.task_from_row(task), _SPEC.decode(spec)),
        target=target,
        callback_url=_sealed(callback_key_id, callback_url),
        has_newer=bool(has_newer),
        body=body,
        secrets=secrets,
    )


def _target(row: Row) -> Target:
    return Target(
        project=row[0],
        is_implicit=bool(row[1]),
        url=_sealed(row[2], row[3]),
        headers=_sealed(row[4], row[5]),
    )


def _sealed(key_id: str | None, box: bytes | None) -> Sealed | None:
    return None if key_id is None or box is None else Sealed(key_id=key_id, box=box)
