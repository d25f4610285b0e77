"""Effects of delivery attempts on an endpoint."""

from typing import Any

import pytest
from msgspec.structs import replace

from gateway.domain.decide import decide
from gateway.domain.deliveries.endpoint import Endpoint
from gateway.domain.deliveries.settle import DISABLE_AFTER
from gateway.domain.kernel import commands as c
from gateway.domain.kernel.policy import Policy
from gateway.domain.kernel.unit_of_work import UnitOfWork

NOW = 1_790_000_000_000
ENDPOINT = Endpoint(id="ep_1", project="acme", origin="https://a.example", implicit=False)
FAILED = c.SettleDelivery(
    endpoint_id=ENDPOINT.id,
    seq=7,
    status="pending",
    attempts=2,
    failures=2,
    next_attempt_at=NOW + 5_000,
    body="{}",
    at=NOW,
    http_status=500,
    reason="status",
    duration_ms=3,
    key_id="sec_1",
    answer=None,
)
DELIVERED = replace(FAILED, status="delivered", next_attempt_at=None, http_status=200, reason=None)
LONG_AGO = NOW - DISABLE_AFTER


def settled(command: c.SettleDelivery, **endpoint: Any) -> UnitOfWork:
    view = UnitOfWork(policy=Policy(key_id="k1"))
    view.outbox.put_endpoint(replace(ENDPOINT, **endpoint))
    view.outbox.changed_endpoints.clear()
    decide(view, command, NOW)
    assert view.deliveries.settled == [command]
    return view


def after(command: c.SettleDelivery, **endpoint: Any) -> Endpoint:
    found = settled(command, **endpoint).outbox.directory.find(ENDPOINT.id)
    assert found is not None
    return found


@pytest.mark.parametrize(
    ("command", "before", "then"),
    [
        (FAILED, None, NOW),
        (FAILED, NOW - 60_000, NOW - 60_000),
        (DELIVERED, NOW - 60_000, None),
        (DELIVERED, None, None),
        (replace(FAILED, is_charged=False, reason="proxy"), None, None),
        (replace(FAILED, is_attempt=False, status="superseded"), NOW - 60_000, NOW - 60_000),
    ],
    ids=["fails", "still fails", "works again", "works", "the proxy's fault", "not sent"],
)
def test_an_endpoint_fails_from_the_first_failure_until_the_next_success(
    command: c.SettleDelivery, before: int | None, then: int | None
) -> None:
    assert after(command, failing_since=before).failing_since == then


@pytest.mark.parametrize(
    ("command", "since", "reason"),
    [
        (replace(FAILED, http_status=410, attempts=1), None, "gone"),
        (FAILED, LONG_AGO, "failing"),
        (FAILED, LONG_AGO + 1, None),
        (replace(FAILED, attempts=1), LONG_AGO, None),
        (replace(FAILED, is_charged=False), LONG_AGO, None),
        (DELIVERED, LONG_AGO, None),
    ],
    ids=["410", "five days", "a moment less", "the first try", "the proxy's fault", "works again"],
)
def test_an_endpoint_that_is_gone_or_failed_for_five_days_is_disabled_with_the_reason(
    command: c.SettleDelivery, since: int | None, reason: str | None
) -> None:
    endpoint = after(command, failing_since=since)
    assert (endpoint.enabled, endpoint.disabled_reason) == (reason is None, reason)


def test_what_a_disabled_endpoint_is_owed_is_held() -> None:
    view = settled(replace(FAILED, http_status=410))
    (job,) = view.outbox.changed_replays.values()
    assert (job.kind, job.endpoint_id) == ("hold", ENDPOINT.id)


def test_a_disabled_endpoint_keeps_the_reason_it_was_disabled_for() -> None:
    command = replace(FAILED, http_status=410)
    endpoint = after(command, enabled=False, disabled_reason="by hand")
    assert endpoint.disabled_reason == "by hand"


def test_an_endpoint_that_works_is_not_written_for_each_delivery() -> None:
    assert not settled(DELIVERED).outbox.is_changed


def test_an_attempt_at_an_endpoint_that_was_deleted_meanwhile_is_kept() -> None:
    view = UnitOfWork(policy=Policy(key_id="k1"))
    decide(view, FAILED, NOW)
    assert view.deliveries.settled == [FAILED]
