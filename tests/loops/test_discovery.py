"""Discovery knows which endpoints may have something that is not under way."""

from collections.abc import Mapping, Sequence

from gateway.loops.deliveries.admission import Limits
from gateway.loops.deliveries.discovery import SCAN_EVERY, Discovery
from gateway.loops.deliveries.due_queue import DueQueue
from gateway.notifier import Notifier
from gateway.store.ownership import SoleOwner
from gateway.store.records import DeliveryFailure, DueDeliveries, PendingEndpoint


class Pending:
    """Reads of a store that holds pending deliveries of these endpoints."""

    def __init__(self, *names: str) -> None:
        self.names = names

    async def pending_endpoints(self, after: str, limit: int) -> Sequence[PendingEndpoint]:
        """All of them: disabled ones."""
        found = [name for name in self.names if name > after][:limit]
        return [PendingEndpoint(endpoint_id=name, project="p", at=None) for name in found]

    async def due_deliveries(
        self, now: int, endpoint_ids: Sequence[str]
    ) -> Mapping[str, DueDeliveries]:
        """None: a disabled endpoint has none."""
        return {}

    async def failures(self) -> Sequence[DeliveryFailure]:
        """None."""
        return ()

    async def changed_at(self, endpoint_ids: Sequence[str]) -> Mapping[str, int]:
        """Never."""
        return {}


async def test_an_endpoint_that_is_never_read_is_forgotten_once_it_has_nothing_pending() -> None:
    reads = Pending("ep_held")
    discovery = Discovery(reads, Notifier(), Limits(), DueQueue())
    await discovery.refresh(0)
    for name in ("ep_held", "ep_disabled"):
        discovery.mark(name)
    assert not discovery.is_clear("ep_disabled")
    await discovery.refresh(SCAN_EVERY)
    assert discovery.is_clear("ep_disabled")
    assert not discovery.is_clear("ep_held"), "what is held must not be overtaken"


async def test_what_is_marked_during_a_scan_stays_until_the_next_one() -> None:
    class Late(Pending):
        async def pending_endpoints(self, after: str, limit: int) -> Sequence[PendingEndpoint]:
            """Nothing yet; the delivery comes right after the read."""
            found = await super().pending_endpoints(after, limit)
            discovery.mark("ep_late")
            return found

    discovery = Discovery(Late(), Notifier(), Limits(), DueQueue())
    await discovery.refresh(0)
    assert not discovery.is_clear("ep_late")


async def test_a_clock_that_was_set_back_does_not_silence_it() -> None:
    notifier = Notifier()
    with notifier.listen(Discovery.topic):
        discovery = Discovery(Pending(), notifier, Limits(), DueQueue())
        await discovery.refresh(SCAN_EVERY * 100)
        discovery.mark("ep_disabled")
        await discovery.refresh(SCAN_EVERY * 50)
        assert discovery.is_clear("ep_disabled")


class ComparedName(str):
    """The id of an endpoint that counts its comparisons."""

    __slots__ = ()
    compared = 0

    def __eq__(self, other: object) -> bool:
        ComparedName.compared += 1
        return super().__eq__(other)

    __hash__ = str.__hash__


async def test_failures_of_many_endpoints_are_looked_at_once() -> None:
    class Failing(Pending):
        async def failures(self) -> Sequence[DeliveryFailure]:
            """Two of each endpoint."""
            names = [ComparedName(f"ep_{number}") for number in range(100)]
            return [
                DeliveryFailure(endpoint_id=name, failing_since=0, at=at, reason="status")
                for at in range(2)
                for name in names
            ]

    await Discovery(Failing(), Notifier(), Limits(), DueQueue()).refresh(0)
    assert ComparedName.compared < 1_000


class Owner(SoleOwner):
    """The ownership of a gateway among others."""

    def __init__(self) -> None:
        self.owned: set[str] = set()

    def owns(self, endpoint_id: str) -> bool:
        """True if it came."""
        return endpoint_id in self.owned


async def test_an_endpoint_that_comes_is_judged_by_what_has_failed_by_then() -> None:
    class Failing(Pending):
        failed = True

        async def failures(self) -> Sequence[DeliveryFailure]:
            """Enough of them to open its breaker, until it has answered well elsewhere."""
            times = range(20) if self.failed else ()
            return [
                DeliveryFailure(endpoint_id="ep_1", failing_since=0, at=at, reason="status")
                for at in times
            ]

    reads, limits, owner = Failing(), Limits(), Owner()
    discovery = Discovery(reads, Notifier(), limits, DueQueue(), owner)
    await discovery.refresh(0)
    reads.failed, owner.owned, owner.version = False, {"ep_1"}, 1
    await discovery.refresh(1)
    assert limits.open_breakers() == []
    reads.failed, owner.version = True, 2
    await discovery.refresh(2)
    assert limits.open_breakers() == ["ep_1"]
