"""The figures of a storm."""

import time
from bisect import bisect_right
from collections import Counter
from collections.abc import Iterator
from typing import Final

from tests.e2e.accounts import Key
from tests.e2e.database import rows
from tests.gateways.storm import EVENTS, Storm, Strike

TAKEOVER_SECONDS: Final = 10.0
"""The longest time for which the deliveries of a gateway that died may wait for another one."""
OF_DELIVERIES: Final = frozenset({"gateway", "freeze", "postgres"})


def report(storm: Storm) -> Iterator[str]:
    """One line for each kind of figure."""
    strikes = Counter(strike.kind for strike in storm.strikes)
    yield f"strikes: {_listed(strikes)}; {storm.fleet.failed_starts} starts that had to be repeated"
    yield f"tasks: {len(storm.orders)} acknowledged, {_listed(storm.statuses)}"
    for reader in storm.readers:
        yield f"{reader.name}: {len(reader.seqs)} events over {reader.connections} requests"
    arrivals = [each for line in storm.lines for each in line.receiver.arrivals]
    first = {(id(line), each.id) for line in storm.lines for each in line.receiver.arrivals}
    yield f"webhooks: {len(first)}, sent again {len(arrivals) - len(first)} times"
    for kind, seconds in sorted(takeovers(storm).items()):
        yield f"longest wait for a delivery after {kind}: {seconds:.1f} s"


def takeovers(storm: Storm) -> dict[str, float]:
    """The longest time from a strike of each kind, or from an event after it, to the first arrival
    of the event at a receiver that can be relied on; strikes may overlap, the last one counts."""
    strikes = sorted(
        (each for each in storm.strikes if each.kind in OF_DELIVERIES), key=lambda each: each.at
    )
    longest: dict[str, float] = {}
    for event_at, arrived_at in _waits(storm):
        strike = _last_before(strikes, arrived_at)
        if strike is not None:
            waited = arrived_at - max(event_at, strike.at)
            longest[strike.kind] = max(waited, longest.get(strike.kind, 0.0))
    return longest


def _waits(storm: Storm) -> Iterator[tuple[float, float]]:
    """The time of each event, and of its first arrival at each receiver, on a monotonic clock."""
    offset = time.monotonic() - time.time()
    events: dict[Key, float] = {
        (task_id, task_seq): at / 1000 + offset
        for _, task_id, task_seq, at in rows(storm.database, EVENTS)
    }
    for line in storm.lines:
        if line.receiver.share:
            continue
        seen: set[Key] = set()
        for each in line.receiver.arrivals:
            key = (each.task, each.task_seq)
            if key in events and key not in seen:
                seen.add(key)
                yield events[key], each.at


def _last_before(strikes: list[Strike], moment: float) -> Strike | None:
    place = bisect_right(strikes, moment, key=lambda each: each.at)
    return strikes[place - 1] if place else None


def _listed(counts: Counter[str]) -> str:
    return ", ".join(f"{name} {count}" for name, count in sorted(counts.items())) or "none"
