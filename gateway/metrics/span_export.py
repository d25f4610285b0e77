"""The way out of spans, if one is configured: without it nothing of OpenTelemetry is imported."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import structlog

from gateway.metrics.traces import Export

log = structlog.get_logger(__name__)


@asynccontextmanager
async def exporting(endpoint: str | None) -> AsyncIterator[Export | None]:
    """The export of spans to this address (`…/v1/traces`), until the block ends and the rest is
    sent; None without an address, or without the extra `slipgate[otel]`."""
    if endpoint is None:
        yield None
        return
    try:
        from gateway.metrics.otlp import OTLPExporter  # noqa: PLC0415 - an extra, 0.2 s
    except ImportError:
        log.warning("traces.not_installed", do="pip install 'slipgate[otel]'")
        yield None
        return
    exporter = OTLPExporter(endpoint)
    try:
        yield exporter.export
    finally:
        await asyncio.to_thread(exporter.shutdown)
