"""Spans to an OpenTelemetry collector by OTLP/HTTP; imported only where one is configured."""

from importlib.metadata import version
from typing import Final

from opentelemetry.context import Context
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.resources import SERVICE_NAME, Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor
from opentelemetry.sdk.trace.id_generator import IdGenerator
from opentelemetry.trace import (
    NonRecordingSpan,
    SpanContext,
    SpanKind,
    StatusCode,
    TraceFlags,
    set_span_in_context,
)

from gateway.metrics.traces import Kind, Span

NANOSECONDS: Final = 1_000_000
"""Of a millisecond."""
UNNAMED: Final = "unknown_service"
"""The beginning of the name that the SDK gives a service for which nobody has set one."""
_KINDS: Final[dict[Kind, SpanKind]] = {
    "internal": SpanKind.INTERNAL,
    "server": SpanKind.SERVER,
    "client": SpanKind.CLIENT,
}


class _GivenIds(IdGenerator):
    """The ids of the span that is made next: they are derived from its task."""

    trace_id = 0
    span_id = 0

    def generate_trace_id(self) -> int:
        return self.trace_id

    def generate_span_id(self) -> int:
        return self.span_id


class OTLPExporter:
    """Sends spans in batches, in a thread of the SDK; its other settings are the `OTEL_*` variables
    that the SDK reads."""

    def __init__(self, endpoint: str) -> None:
        self._ids = _GivenIds()
        self._provider = TracerProvider(
            resource=_resource(), id_generator=self._ids, shutdown_on_exit=False
        )
        exporter = OTLPSpanExporter(endpoint=endpoint)
        self._provider.add_span_processor(BatchSpanProcessor(exporter))
        self._tracer = self._provider.get_tracer("slipgate", version("slipgate"))

    def export(self, span: Span) -> None:
        """Queues a span; the oldest is dropped where the collector is too slow."""
        self._ids.trace_id, self._ids.span_id = int(span.trace_id, 16), int(span.span_id, 16)
        made = self._tracer.start_span(
            span.name,
            context=_parent_of(span),
            kind=_KINDS[span.kind],
            attributes=span.attributes,
            start_time=span.start * NANOSECONDS,
        )
        if span.is_error:
            made.set_status(StatusCode.ERROR)
        made.end(span.end * NANOSECONDS)

    def shutdown(self) -> None:
        """Sends the rest; blocks for as long as that takes."""
        self._provider.shutdown()


def _parent_of(span: Span) -> Context:
    if span.parent_id is None:
        return Context()
    parent = SpanContext(
        trace_id=int(span.trace_id, 16),
        span_id=int(span.parent_id, 16),
        is_remote=False,
        trace_flags=TraceFlags(TraceFlags.SAMPLED),
    )
    return set_span_in_context(NonRecordingSpan(parent), Context())


def _resource() -> Resource:
    """`OTEL_SERVICE_NAME` and `OTEL_RESOURCE_ATTRIBUTES`, else the name `slipgate`."""
    found = Resource.create({"service.version": version("slipgate")})
    if str(found.attributes[SERVICE_NAME]).startswith(UNNAMED):
        return found.merge(Resource({SERVICE_NAME: "slipgate"}))
    return found
