"""The rules of endpoints: who may change what, and which secrets are good how long."""

from collections.abc import Callable

import pytest
from msgspec.structs import replace

from gateway.domain.decide import decide
from gateway.domain.deliveries import commands as e
from gateway.domain.deliveries.endpoint import (
    MOST_LIVE,
    MOST_OF_CUSTOMER,
    USUAL,
    Directory,
    Endpoint,
    SigningSecret,
    check_headers,
    wanted_types,
)
from gateway.domain.deliveries.outbox import Address
from gateway.domain.deliveries.replay import Replay
from gateway.domain.kernel.errors import ApiError
from gateway.domain.kernel.policy import Policy
from gateway.domain.kernel.read_set import Command, Idempotency
from gateway.domain.kernel.sealing import Sealed
from gateway.domain.kernel.unit_of_work import UnitOfWork
from gateway.domain.tasks.event import ABOUT_OPERATIONS, FACTS, QUIET

NOW = 1_790_000_000_000
SEALED = Sealed(key_id="k1", box=b"sealed")
PLAIN = Endpoint(id="ep_a", project="default", origin="https://a.example", implicit=False)
CALLBACK = replace(PLAIN, id="ep_c", implicit=True)
SECRET = SigningSecret(id="sec_1", project="default", endpoint_id="ep_a", created_at=NOW)


@pytest.fixture
def view() -> UnitOfWork:
    seen = UnitOfWork(policy=Policy(key_id="k1"))
    for endpoint in (PLAIN, CALLBACK):
        seen.outbox.put_endpoint(endpoint)
    return seen


def refusal(view: UnitOfWork, command: Command) -> str:
    with pytest.raises(ApiError) as caught:
        decide(view, command, NOW)
    return caught.value.code


@pytest.mark.parametrize(
    ("patterns", "kinds"),
    [
        (None, set(FACTS) - QUIET),
        (("*",), set(FACTS) - ABOUT_OPERATIONS),
        (("*", "ops.disk_low"), set(FACTS)),
        (("task.log",), {"task.log"}),
        (("sandbox.*", "task.created"), {k for k in FACTS if "sandbox" in k} | {"task.created"}),
        ((), set()),
    ],
    ids=["the usual", "all of a project", "all", "a quiet one", "a kind and one", "nothing more"],
)
def test_patterns_mean_types(patterns: tuple[str, ...] | None, kinds: set[str]) -> None:
    assert wanted_types(patterns) == kinds
    assert USUAL.isdisjoint(QUIET)


def test_a_directory_knows_who_may_hear_of_a_task() -> None:
    other = replace(PLAIN, id="ep_b", project="elsewhere")
    directory = Directory([PLAIN, CALLBACK, other])
    assert directory.recipients("default", None) == (PLAIN,)
    assert directory.recipients("default", "ep_c") == (PLAIN, CALLBACK)
    assert directory.recipients("elsewhere", "ep_gone") == (other,)
    assert directory.recipients("nobody", None) == ()
    draft = directory.draft()
    draft.remove(PLAIN)
    assert draft.recipients("default", "ep_c") == (CALLBACK,)
    assert directory.find("ep_a") == PLAIN


@pytest.mark.parametrize(
    "command",
    [
        e.DeleteEndpoint(endpoint_id="ep_c"),
        e.UpdateEndpoint(endpoint_id="ep_c", changes=e.EndpointChanges(shown_url="https://b")),
    ],
    ids=["deleted", "moved"],
)
def test_an_implicit_endpoint_belongs_to_its_tasks(view: UnitOfWork, command: Command) -> None:
    assert refusal(view, command) == "implicit_endpoint"


@pytest.mark.parametrize(
    "made",
    [
        lambda: e.DeleteEndpoint(endpoint_id="ep_x"),
        lambda: e.EnableEndpoint(endpoint_id="ep_x"),
        lambda: e.DisableEndpoint(endpoint_id="ep_x", reason="r"),
        lambda: e.AdvanceReplay(replay_id="rpl_x"),
        lambda: e.UpdateEndpoint(endpoint_id="ep_x", changes=e.EndpointChanges()),
    ],
    ids=["delete", "enable", "disable", "advance", "update"],
)
def test_what_is_not_there_cannot_change(view: UnitOfWork, made: Callable[[], Command]) -> None:
    assert refusal(view, made()) == "not_found"


def test_what_is_left_out_of_a_change_stays(view: UnitOfWork) -> None:
    changes = e.EndpointChanges(description="mine", rate_per_second=None)
    decide(view, e.UpdateEndpoint(endpoint_id="ep_a", changes=changes), NOW)
    assert view.outbox.directory.find("ep_a") == replace(PLAIN, description="mine", updated_at=NOW)
    assert view.outbox.subscriptions == []


def test_enabling_and_disabling_again_change_nothing(view: UnitOfWork) -> None:
    decide(view, e.EnableEndpoint(endpoint_id="ep_a"), NOW)
    assert view.outbox.changed_replays == {}
    decide(view, e.DisableEndpoint(endpoint_id="ep_a", reason="first"), NOW)
    decide(view, e.DisableEndpoint(endpoint_id="ep_a", reason="second"), NOW)
    found = view.outbox.directory.find("ep_a")
    assert found is not None
    assert found.disabled_reason == "first"


def test_a_newer_state_stops_the_work_for_the_older_one(view: UnitOfWork) -> None:
    decide(view, e.DisableEndpoint(endpoint_id="ep_a", reason="r"), NOW)
    decide(view, e.EnableEndpoint(endpoint_id="ep_a"), NOW + 1)
    kinds = {(job.kind, job.status) for job in view.outbox.replays.values()}
    assert kinds == {("hold", "cancelled"), ("release", "running")}


def test_failing_since_is_forgotten_with_enabling(view: UnitOfWork) -> None:
    view.outbox.put_endpoint(replace(PLAIN, failing_since=NOW))
    decide(view, e.DisableEndpoint(endpoint_id="ep_a", reason="r"), NOW)
    decide(view, e.EnableEndpoint(endpoint_id="ep_a"), NOW)
    found = view.outbox.directory.find("ep_a")
    assert found is not None
    assert (found.failing_since, found.disabled_reason, found.enabled) == (None, None, True)


@pytest.mark.parametrize(
    ("overlap", "before", "after"),
    [(60_000, None, 60_000), (60_000, 5_000, 5_000), (0, None, 0)],
    ids=["overlaps", "is over sooner", "retired"],
)
def test_an_older_secret_is_good_for_the_overlap(
    view: UnitOfWork, overlap: int, before: int | None, after: int
) -> None:
    old = replace(SECRET, expires_at=None if before is None else NOW + before)
    view.outbox.secrets["ep_a"] = (old,)
    new = replace(SECRET, id="sec_2")
    command = e.RotateSecret(endpoint_id="ep_a", secret=new, sealed=SEALED, overlap=overlap)
    assert decide(view, command, NOW) == e.EndpointReply(endpoint=PLAIN, secret_id="sec_2")
    assert view.outbox.expiring == [replace(old, expires_at=NOW + after)]


def test_a_customer_may_have_so_many_endpoints_and_the_project_more(view: UnitOfWork) -> None:
    def create(number: int, customer: str | None) -> e.CreateEndpoint:
        endpoint = replace(PLAIN, id=f"ep_{customer}_{number}", customer=customer)
        address = Address(endpoint_id=endpoint.id, url=SEALED, headers=None)
        return e.CreateEndpoint(endpoint=endpoint, address=address, secret=SECRET, sealed=SEALED)

    for number in range(MOST_OF_CUSTOMER):
        for customer in ("acme", "globex", None):
            decide(view, create(number, customer), NOW)
    assert refusal(view, create(MOST_OF_CUSTOMER, "acme")) == "too_many_endpoints"
    decide(view, create(MOST_OF_CUSTOMER, None), NOW)
    decide(view, e.DeleteEndpoint(endpoint_id="ep_acme_0"), NOW)
    decide(view, create(MOST_OF_CUSTOMER, "acme"), NOW)


def test_there_may_be_so_many_secrets_and_a_way_out(view: UnitOfWork) -> None:
    live = tuple(replace(SECRET, id=f"sec_{number}") for number in range(MOST_LIVE))
    view.outbox.secrets["ep_a"] = live
    command = e.RotateSecret(
        endpoint_id="ep_a", secret=replace(SECRET, id="sec_new"), sealed=SEALED, overlap=1
    )
    assert refusal(view, command) == "too_many_secrets"
    decide(view, replace(command, overlap=0), NOW)
    assert {secret.expires_at for secret in view.outbox.expiring} == {NOW}


def test_a_replay_of_a_disabled_endpoint_only_counts(view: UnitOfWork) -> None:
    decide(view, e.DisableEndpoint(endpoint_id="ep_a", reason="r"), NOW)
    replay = Replay(
        id="rpl_1", endpoint_id="ep_a", project="default", created_at=NOW, updated_at=NOW
    )
    assert refusal(view, e.StartReplay(replay=replay)) == "endpoint_disabled"
    decide(view, e.StartReplay(replay=replace(replay, dry_run=True)), NOW)


def test_a_replay_ends_when_its_endpoint_is_disabled(view: UnitOfWork) -> None:
    replay = Replay(
        id="rpl_1", endpoint_id="ep_a", project="default", created_at=NOW, updated_at=NOW
    )
    view.outbox.put_replay(replay)
    decide(view, e.DisableEndpoint(endpoint_id="ep_a", reason="r"), NOW)
    assert view.outbox.replays["rpl_1"].status == "cancelled"
    view.outbox.put_replay(replay)
    view.outbox.pages["rpl_1"] = (1, 2)
    decide(view, e.AdvanceReplay(replay_id="rpl_1"), NOW)
    assert view.outbox.replays["rpl_1"].status == "cancelled"
    assert view.outbox.delivery_updates == []


def test_the_same_key_makes_one_endpoint(view: UnitOfWork) -> None:
    key = Idempotency(key=("default", "POST /v1/endpoints", "k"), digests={"k": b"d"}, current="k")
    command = e.CreateEndpoint(
        endpoint=replace(PLAIN, id="ep_1"),
        address=Address(endpoint_id="ep_1", url=SEALED),
        secret=SECRET,
        sealed=SEALED,
        idempotency=key,
    )
    first = decide(view, command, NOW)
    again = decide(view, replace(command, endpoint=replace(PLAIN, id="ep_2")), NOW + 5)
    assert isinstance(first, e.EndpointReply)
    assert again == replace(first, replayed=True)
    assert view.outbox.directory.find("ep_2") is None


@pytest.mark.parametrize(
    "name", ["Host", "webhook-id", "Content-Type", "slipgate-late", "traceparent", "Connection"]
)
def test_headers_of_ours_cannot_be_given(name: str) -> None:
    with pytest.raises(ApiError, match="slipgate sets it itself"):
        check_headers([name])


def test_a_header_is_given_once_whatever_its_case() -> None:
    with pytest.raises(ApiError, match="Expected it once"):
        check_headers(["X-Key", "x-key"])
    check_headers(["X-Key", "Authorization"])
