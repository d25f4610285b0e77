"""Delivery contexts in the store: everything that messages are made of, addressed to and signed
with, for all that leave together at once."""

# ruff: noqa: S608 - what is put into a statement here is a constant list of columns

from collections import defaultdict
from collections.abc import Collection
from typing import Final

import msgspec

from gateway.domain.deliveries.outbox import DeliveryKey
from gateway.domain.kernel.sealing import Sealed
from gateway.domain.tasks.spec import Spec
from gateway.store.records import DeliveryContext, LiveSecret, SecretOwner, Target
from gateway.store.sql.connection import Queries
from gateway.store.sql.rows import EVENT, TASK, Row, sealed

_TARGET: Final = """
    endpoint.project, endpoint.implicit, endpoint.url_key_id, endpoint.url,
    endpoint.headers_key_id, endpoint.headers, endpoint.format"""
_SPEC: Final = msgspec.json.Decoder(Spec)
_TASK_AT: Final = len(EVENT.names)
_TARGET_AT: Final = _TASK_AT + len(TASK.names)
_SPEC_AT: Final = _TARGET_AT + 7
_SEQ_AT: Final = EVENT.names.index("seq")

# Only the next ones of a lane are looked at: a long one must not cost more for each of its heads.
CONTEXTS: Final = f"""
SELECT
    {EVENT.of("event")},
    {TASK.of("task")},
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
    AND delivery.seq = CAST(json_extract(wanted.value, '$[1]') AS BIGINT)
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
WHERE json_extract(wanted.value, '$[1]') IS NULL AND length(callback_secret) > 0
  AND (expires_at IS NULL OR expires_at > :now)
ORDER BY is_newest DESC"""

OVERTAKEN: Final = """
SELECT 1 FROM deliveries INDEXED BY deliveries_of_task
WHERE task_id = :task_id AND endpoint_id = :endpoint_id AND seq > :seq
  AND (status = 'delivered' OR attempts > 0) LIMIT 1"""


class MessageQueries(Queries):
    """The reads of the message builder."""

    async def delivery_contexts(
        self, keys: Collection[DeliveryKey], now: int
    ) -> dict[DeliveryKey, DeliveryContext]:
        found = list(await self._all(CONTEXTS, {"keys": list(keys)}))
        targets = {row[-1]: _target(row[_TARGET_AT:_SPEC_AT]) for row in found}
        owners = {name: _owner(name, target) for name, target in targets.items()}
        secrets = await self.live_secrets(set(owners.values()), now)
        return {
            (row[-1], row[_SEQ_AT]): _context(row, targets[row[-1]], secrets[owners[row[-1]]])
            for row in found
        }

    async def target(self, endpoint_id: str) -> Target | None:
        row = await self._one(TARGET, {"endpoint_id": endpoint_id})
        return _target(row) if row else None

    async def live_secrets(
        self, owners: Collection[SecretOwner], now: int
    ) -> dict[SecretOwner, tuple[LiveSecret, ...]]:
        found: defaultdict[SecretOwner, list[LiveSecret]] = defaultdict(list)
        for project, endpoint_id, name, is_of_project, key_id, box, _ in await self._all(
            LIVE_SECRETS, {"owners": list(owners), "now": now}
        ):
            secret = Sealed(key_id=key_id, box=box)
            found[project, endpoint_id].append(
                LiveSecret(id=name, is_of_project=bool(is_of_project), sealed=secret)
            )
        return {owner: tuple(found[owner]) for owner in owners}

    async def is_overtaken(self, endpoint_id: str, task_id: str, seq: int) -> bool:
        given = {"endpoint_id": endpoint_id, "task_id": task_id, "seq": seq}
        return await self._one(OVERTAKEN, given) is not None


def _owner(endpoint_id: str, target: Target) -> SecretOwner:
    return (target.project, None if target.is_implicit else endpoint_id)


def _context(row: Row, target: Target, secrets: tuple[LiveSecret, ...]) -> DeliveryContext:
    spec, callback_key_id, callback_url, has_newer, body = row[_SPEC_AT:-1]
    task = row[_TASK_AT:_TARGET_AT]
    return DeliveryContext(
        event=EVENT.read(row[:_TASK_AT]),
        asked=None if spec is None else (TASK.read(task), _SPEC.decode(spec)),
        target=target,
        callback_url=sealed(callback_key_id, callback_url),
        has_newer=bool(has_newer),
        body=body,
        secrets=secrets,
    )


def _target(row: Row) -> Target:
    project, implicit, url_key_id, url, headers_key_id, headers, form = row
    return Target(
        project=project,
        is_implicit=bool(implicit),
        url=sealed(url_key_id, url),
        headers=sealed(headers_key_id, headers),
        format=form,
    )
