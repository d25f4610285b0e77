"""Endpoint events: content, time and recipients."""

from collections.abc import Iterable

import msgspec
import pytest
from msgspec.structs import replace

from gateway.domain.decide import decide
from gateway.domain.deliveries import commands as e
from gateway.domain.deliveries.endpoint import Endpoint
from gateway.domain.deliveries.settle import DISABLE_AFTER, FAILING_AFTER
from gateway.domain.invariants.endpoint import EndpointRows, check_endpoint
from gateway.domain.kernel import commands as c
from gateway.domain.kernel.policy import Policy
from gateway.domain.kernel.unit_of_work import UnitOfWork
from gateway.domain.tasks.event import ABOUT_ENDPOINTS, EndpointEventData, EndpointState, Event

NOW = 1_790_000_000_000
MINUTE = 60_000
FRONTEND = Endpoint(
    id="ep_a",
    project="acme",
    origin="https://a.example",
    implicit=False,
    shown_url="https://a.example/hook?***",
)
WATCHER = replace(FRONTEND, id="ep_w", shown_url=None, event_types=("endpoint.*",))
FAILED = c.SettleDelivery(
    endpoint_id="ep_a",
    seq=7,
    status="pending",
    attempts=3,
    failures=3,
    next_attempt_at=NOW + 5_000,
    body="{}",
    at=NOW,
    http_status=503,
    reason="status",
    duration_ms=3,
    key_id="sec_1",
    answer=None,
)
DELIVERED = replace(FAILED, status="delivered", next_attempt_at=None, http_status=200, reason=None)


def project(*endpoints: Endpoint) -> UnitOfWork:
    view = UnitOfWork(policy=Policy(key_id="k1"))
    for endpoint in endpoints or (FRONTEND, WATCHER):
        view.outbox.put_endpoint(endpoint)
    return view


def types(view: UnitOfWork) -> list[str]:
    return [event.type for event in view.events.new]


def told(view: UnitOfWork) -> list[tuple[str, str]]:
    """To whom, and what."""
    return [(delivery.endpoint_id, delivery.event.type) for delivery in view.deliveries.new]


def state(event: Event) -> EndpointState:
    fact = event.fact
    assert isinstance(fact, EndpointEventData)
    return fact.endpoint


def assert_sound(view: UnitOfWork) -> None:
    """The log of each endpoint, held against its row."""
    numbered = [replace(event, seq=seq) for seq, event in enumerate(view.events.new, 1)]
    for endpoint_id in {event.task_id for event in numbered}:
        endpoint = view.outbox.directory.find(endpoint_id)
        assert endpoint is not None
        events = [event for event in numbered if event.task_id == endpoint_id]
        assert [*check_endpoint(EndpointRows(endpoint=endpoint), events)] == []


@pytest.mark.parametrize(
    ("command", "length", "kinds"),
    [
        (FAILED, FAILING_AFTER - 1, []),
        (FAILED, FAILING_AFTER, ["endpoint.failing"]),
        (replace(FAILED, attempts=1), FAILING_AFTER, []),
        (replace(FAILED, is_charged=False), FAILING_AFTER, []),
        (replace(FAILED, is_attempt=False), FAILING_AFTER, []),
        (DELIVERED, FAILING_AFTER, []),
        (FAILED, DISABLE_AFTER, ["endpoint.disabled"]),
        (replace(FAILED, http_status=410, attempts=1), 0, ["endpoint.disabled"]),
    ],
    ids=[
        "may be a restart",
        "four minutes",
        "the first try of another event",
        "not its fault",
        "not sent",
        "works again before anybody was told",
        "five days",
        "410",
    ],
)
def test_an_endpoint_is_told_of_once_it_fails_for_minutes(
    command: c.SettleDelivery, length: int, kinds: list[str]
) -> None:
    view = project(replace(FRONTEND, failing_since=NOW - length), WATCHER)
    decide(view, command, NOW)
    assert types(view) == kinds
    assert told(view) == [("ep_w", kind) for kind in kinds]
    assert_sound(view)


def test_failing_is_told_once_until_something_arrives() -> None:
    view = project()
    for minute in range(0, 60, 5):
        at = NOW + minute * MINUTE
        decide(view, replace(FAILED, at=at), at)
    decide(view, DELIVERED, NOW + 61 * MINUTE)
    decide(view, DELIVERED, NOW + 62 * MINUTE)
    decide(view, replace(FAILED, at=NOW + 63 * MINUTE), NOW + 70 * MINUTE)
    assert types(view) == ["endpoint.failing", "endpoint.recovered", "endpoint.failing"]
    assert [event.task_seq for event in view.events.new] == [1, 2, 3]
    assert_sound(view)


def test_an_event_says_which_endpoint_and_why_without_what_is_secret() -> None:
    view = project()
    decide(view, FAILED, NOW)
    decide(view, FAILED, NOW + 5 * MINUTE)
    decide(view, DELIVERED, NOW + 6 * MINUTE)
    failing, recovered = view.events.new
    since = "2026-09-21T14:13:20.000Z"
    shown = EndpointState(
        id="ep_a",
        origin="https://a.example",
        implicit=False,
        enabled=True,
        reason="status",
        http_status=503,
        failing_since=since,
    )
    assert state(failing) == shown
    assert state(recovered) == replace(shown, reason=None, http_status=None)
    assert msgspec.json.decode(failing.data)["endpoint"]["failingSince"] == since
    found = view.outbox.directory.find("ep_a")
    assert found is not None
    assert (found.failing_since, found.failure_event_at) == (None, None)


def test_an_address_that_looks_like_a_key_is_redacted() -> None:
    key = f"slip_ops_{'a' * 43}"
    view = project(replace(FRONTEND, shown_url=f"https://a.example/{key}"), WATCHER)
    decide(view, e.DisableEndpoint(endpoint_id="ep_a", reason=key), NOW)
    (event,) = view.events.new
    assert key not in event.data.decode()
    assert_sound(view)


def test_whoever_is_disabled_is_told_of_until_it_works_again() -> None:
    view = project()
    decide(view, e.DisableEndpoint(endpoint_id="ep_a", reason="by hand"), NOW)
    decide(view, DELIVERED, NOW)  # was under way
    decide(view, e.EnableEndpoint(endpoint_id="ep_a"), NOW)
    decide(view, e.DisableEndpoint(endpoint_id="ep_a", reason="again"), NOW)
    decide(view, e.EnableEndpoint(endpoint_id="ep_a"), NOW)
    decide(view, FAILED, NOW)
    decide(view, FAILED, NOW + 5 * MINUTE)  # they know
    decide(view, DELIVERED, NOW + 6 * MINUTE)
    assert types(view) == ["endpoint.disabled", "endpoint.disabled", "endpoint.recovered"]
    assert [state(event).reason for event in view.events.new] == ["by hand", "again", None]
    assert_sound(view)


@pytest.mark.parametrize(
    ("endpoints", "receivers"),
    [
        ((FRONTEND, WATCHER), ["ep_w"]),
        ((replace(FRONTEND, event_types=("*",)), WATCHER), ["ep_w"]),
        ((FRONTEND, replace(WATCHER, event_types=None)), []),
        ((FRONTEND, replace(WATCHER, event_types=("task.*",))), []),
        ((FRONTEND, replace(WATCHER, project="elsewhere")), []),
        ((FRONTEND, replace(WATCHER, implicit=True)), []),
        ((replace(FRONTEND, implicit=True), WATCHER), ["ep_w"]),
    ],
    ids=[
        "asked for it",
        "never of itself",
        "asked for the usual",
        "asked for tasks",
        "of another project",
        "is there for callbacks",
        "of a callback",
    ],
)
def test_the_others_of_its_project_hear_of_an_endpoint_if_they_ask(
    endpoints: Iterable[Endpoint], receivers: list[str]
) -> None:
    view = project(*endpoints)
    decide(view, e.DisableEndpoint(endpoint_id="ep_a", reason="by hand"), NOW)
    assert [name for name, _ in told(view)] == receivers
    assert types(view) == ["endpoint.disabled"]


def test_for_a_disabled_receiver_it_is_held() -> None:
    view = project(FRONTEND, replace(WATCHER, enabled=False))
    decide(view, e.DisableEndpoint(endpoint_id="ep_a", reason="by hand"), NOW)
    (delivery,) = view.deliveries.new
    assert (delivery.status, delivery.next_attempt_at) == ("held", None)


def test_endpoints_that_tell_of_each_other_come_to_an_end() -> None:
    """Each failure of one is told to the other, which fails too: a step of each, and no more."""
    view = project(*(replace(WATCHER, id=name) for name in ("ep_a", "ep_b", "ep_c")))
    answered = 0
    for answer in (FAILED, DELIVERED):
        at = NOW
        for name in ("ep_a", "ep_b", "ep_c"):
            decide(view, replace(answer, endpoint_id=name), at)
        while answered < len(view.deliveries.new):
            delivery = view.deliveries.new[answered]
            at += 5 * MINUTE
            decide(view, replace(answer, endpoint_id=delivery.endpoint_id, seq=answered), at)
            answered += 1
        at += 5 * MINUTE
        for name in ("ep_a", "ep_b", "ep_c"):
            decide(view, replace(answer, endpoint_id=name), at)
    kinds = [(event.task_id, event.type) for event in view.events.new]
    assert len(kinds) == len(set(kinds)) == 6
    assert {kind for _, kind in kinds} == ABOUT_ENDPOINTS - {"endpoint.disabled"}
    assert_sound(view)
