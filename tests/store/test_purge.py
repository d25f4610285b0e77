"""A purge of a task with a webhook on its way: its answer brings no text back."""

import pytest

from gateway.domain.deliveries import commands as e
from gateway.domain.deliveries.endpoint import Endpoint, SigningSecret
from gateway.domain.deliveries.outbox import Address
from gateway.domain.kernel import commands as c
from gateway.domain.kernel.sealing import Sealed
from tests.store.test_ledger import creation
from tests.stores import NewDatabase, ledger_on

SEALED = Sealed(key_id="k1", box=b"sealed")
KEPT = """
SELECT delivery.body, attempt.response_body
FROM deliveries AS delivery JOIN delivery_attempts AS attempt
    ON attempt.endpoint_id = delivery.endpoint_id AND attempt.seq = delivery.seq
ORDER BY delivery.seq"""
OPENED = e.CreateEndpoint(
    endpoint=Endpoint(id="ep_a", project="default", origin="https://a.example", implicit=False),
    address=Address(endpoint_id="ep_a", url=SEALED, headers=None),
    secret=SigningSecret(id="sec_a", project="default", endpoint_id="ep_a", created_at=1),
    sealed=SEALED,
)


def settled(seq: int) -> c.SettleDelivery:
    """An answer to the delivery of an event."""
    return c.SettleDelivery(
        endpoint_id="ep_a",
        seq=seq,
        status="delivered",
        attempts=1,
        failures=0,
        next_attempt_at=None,
        body="a text",
        at=1,
        http_status=200,
        reason=None,
        duration_ms=1,
        key_id="sec_a",
        answer="a text",
    )


@pytest.mark.parametrize("is_purged", [True, False])
async def test_an_answer_that_comes_after_the_purge_brings_no_text(
    database: NewDatabase, is_purged: bool
) -> None:
    async with ledger_on(database) as (ledger, _):
        await ledger.submit(OPENED)
        task = creation(1)
        await ledger.submit(task)
        await ledger.submit(c.CancelTask(task_id=task.task_id, project="default"))
        await ledger.submit(settled(1))
        if is_purged:
            await ledger.submit(c.PurgeTask(task_id=task.task_id, cause=c.Cause(reason="x")))
        await ledger.submit(settled(2))
    async with database.connected() as query:
        kept = await query(KEPT, {})
    assert [*kept] == [(None, None) if is_purged else ("a text", "a text")] * 2
    assert database.problems() == ()
