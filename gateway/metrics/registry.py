"""The counters of a gateway."""

import math
import time
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator
from typing import Final

from gateway.domain.kernel.unit_of_work import UnitOfWork
from gateway.metrics import stats
from gateway.metrics.family import Family, Labels, Numbers, Times
from gateway.metrics.histogram import Histogram
from gateway.metrics.outcomes import OutcomeMetrics
from gateway.metrics.stats import GatewayStats
from gateway.metrics.traces import Traces

MEDIA_TYPE: Final = "text/plain; version=0.0.4; charset=utf-8"
REFUSED_CONNECTIONS: Final = (
    "request_timeout",
    "uri_too_long",
    "headers_too_large",
    "invalid_http",
    "answer_not_read",
    "no_room",
)
"""Why a connection was ended; the first four are codes of the answer."""


class Metrics:
    """The counters of one gateway; none is global, so two gateways can live in one process."""

    def __init__(
        self, *, traces: Traces | None = None, monotonic: Callable[[], float] = time.monotonic
    ) -> None:
        self.traces = traces or Traces()
        self._monotonic = monotonic
        self.committed_at = -math.inf
        """The end of the last transaction (monotonic seconds)."""
        self._requests = _Requests()
        self._refused: Counter[Labels] = Counter()
        self._connections: Counter[Labels] = Counter({(why,): 0 for why in REFUSED_CONNECTIONS})
        self._commits, self._lag = Histogram(), Histogram()
        self.outcomes = OutcomeMetrics()

    @property
    def followers(self) -> tuple[Callable[[UnitOfWork], None], ...]:
        """Functions that look at each commit of the ledger."""
        return (self.outcomes.follow, self.traces.follow)

    def count_request(self, route: str, method: str, status: int, seconds: float) -> None:
        """One answer; `route` is the handler, never the path, which anybody can invent."""
        self._requests.count(route, method, status, seconds)

    def count_refused_webhook(self, source: str, code: str) -> None:
        """A refused message, and the code of the refusal."""
        self._refused[source, code] += 1

    def count_refused_connection(self, reason: str) -> None:
        """One of `REFUSED_CONNECTIONS`."""
        self._connections[reason,] += 1

    def count_commit(self, seconds: float) -> None:
        """One transaction of the ledger, from its beginning until it was on the disk."""
        self._commits.count(seconds)
        self.committed_at = self._monotonic()

    def count_lag(self, seconds: float) -> None:
        """One measurement of the event loop."""
        self._lag.count(seconds)

    def has_committed_within(self, seconds: float) -> bool:
        """True if a transaction has ended within these seconds."""
        return self._monotonic() - self.committed_at < seconds

    @property
    def seconds_since_commit(self) -> float | None:
        """None before the first."""
        seconds = self._monotonic() - self.committed_at
        return None if math.isinf(seconds) else seconds

    def render(self, now: GatewayStats) -> bytes:
        """Everything, with the state of this moment, in the text format."""
        from gateway.metrics.exposition import text_of  # noqa: PLC0415 - 10 ms of the library

        return text_of((*self._families(), *stats.families(now)))

    def _families(self) -> Iterator[Family]:
        yield from self._requests.families()
        yield Numbers(
            kind="counter",
            name="slipgate_webhooks_refused",
            what="Webhooks that were not taken.",
            labels=("source", "code"),
            values=self._refused,
        )
        yield Numbers(
            kind="counter",
            name="slipgate_connections_refused",
            what="Connections ended before a request of theirs reached us, or its answer them.",
            labels=("reason",),
            values=self._connections,
        )
        yield Times(
            name="slipgate_ledger_commit_seconds",
            what="Time of a transaction of the ledger.",
            values={(): self._commits},
        )
        yield Times(
            name="slipgate_event_loop_lag_seconds",
            what="Time by which the event loop is late.",
            values={(): self._lag},
        )
        yield from self.outcomes.families()


class _Requests:
    """Requests by route, method and status: all is counted on one event loop, and a Counter and a
    Histogram of the library take three locks for each."""

    def __init__(self) -> None:
        self._answers: dict[tuple[str, str, int], Histogram] = {}

    def count(self, route: str, method: str, status: int, seconds: float) -> None:
        key = (route, method, status)
        answers = self._answers.get(key)
        if answers is None:
            answers = self._answers[key] = Histogram()
        answers.count(seconds)

    def families(self) -> Iterator[Family]:
        """The families of this moment."""
        of_route: dict[Labels, Histogram] = defaultdict(Histogram)
        for (route, method, _), answers in self._answers.items():
            of_route[route, method].add(answers)
        yield Numbers(
            kind="counter",
            name="slipgate_http_requests",
            what="Requests answered.",
            labels=("route", "method", "status"),
            values={
                (route, method, str(status)): sum(answers.in_bucket)
                for (route, method, status), answers in self._answers.items()
            },
        )
        yield Times(
            name="slipgate_http_request_seconds",
            what="Time from the request to its answer.",
            labels=("route", "method"),
            values=of_route,
        )
