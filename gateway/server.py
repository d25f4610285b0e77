"""The process of a gateway: it listens, serves until a signal, and drains."""

import asyncio
import gc
import resource
import socket
from collections.abc import Mapping, Sequence
from importlib.metadata import version
from types import FrameType, MappingProxyType
from typing import Final

import structlog
import uvicorn
from starlette.types import ASGIApp

from gateway.app import MAX_REQUESTS, Gateway, opened
from gateway.bootstrap import create_first_keys
from gateway.domain.kernel.errors import ApiError
from gateway.domain.operations.status import Danger
from gateway.ledger import MAX_BATCH
from gateway.loops.deliveries.schedule import SCHEDULE
from gateway.service_manager import ServiceManager
from gateway.settings import Settings
from gateway.store.location import Location, PostgresAddress
from gateway.web.http.connection import IDLE_SECONDS, Connection
from gateway.web.http.connections import Connections
from gateway.wire.logs import LogFile, open_logs

log = structlog.get_logger(__name__)

DRAIN_SECONDS: Final = 7
"""Seconds that open requests have to end after a stop; supervisors kill after 10 s."""
MAX_CONNECTIONS: Final = 2 * MAX_REQUESTS
"""Beside those that are being answered there are idle ones, and requests that begin to come."""
SWEEPS: Final = 10
"""Turns of the event loop that one look for late callers may take."""
FILES_BESIDE: Final = 1_024
"""Files that are no connection of a caller: the database, the ways to receivers, what is spare."""


def serve(
    settings: Settings,
    *,
    max_batch: int = MAX_BATCH,
    take_over: bool = False,
    schedule: Sequence[int] = SCHEDULE,
    dangers: Sequence[Danger] = (),
    environ: Mapping[str, str] = MappingProxyType({}),
) -> None:
    """Runs until SIGTERM or SIGINT; then drains and returns. `max_batch` commands share a commit;
    `schedule` are the milliseconds before each attempt at a delivery; `dangers` are logged, and
    shown; `environ` has the variables of systemd, if it has started us.

    Raises:
        ApiError: the address is taken, another gateway holds the database, or its schema is newer.
    """
    logs = open_logs(settings.log)
    for danger in dangers:
        log.warning("gateway.danger", code=danger.code, detail=danger.detail, hint=danger.hint)
    with asyncio.Runner(loop_factory=_event_loop) as runner:
        serving = _serve(
            settings,
            max_batch=max_batch,
            take_over=take_over,
            schedule=schedule,
            dangers=dangers,
            logs=logs,
            manager=ServiceManager(environ),
        )
        runner.run(serving)


async def _serve(
    settings: Settings,
    *,
    max_batch: int,
    take_over: bool,
    schedule: Sequence[int],
    dangers: Sequence[Danger],
    logs: LogFile,
    manager: ServiceManager,
) -> None:
    max_connections = _connections()
    with _listener(settings) as listener:
        async with opened(
            settings,
            max_batch=max_batch,
            take_over=take_over,
            schedule=schedule,
            dangers=dangers,
            max_requests=max_connections // 2,
            log_dropped=lambda: logs.dropped,
        ) as gateway:
            await asyncio.to_thread(create_first_keys, settings)
            _tune_garbage_collection()
            config = _config(settings, gateway.app)
            connections = Connections(most=max_connections, refused=gateway.connection_refused)
            server = _Server(config, connections, gateway, settings.stop_delay_seconds, manager)
            _log_start(settings, gateway.instance_id, listener.getsockname()[1])
            await server.serve([listener])
            log.info("gateway.drained")
    log.info("gateway.stopped")


def _connections() -> int:
    """The most connections at a time. Accepting one must never fail for want of files: the soft
    limit, 1,024 by default, is raised, and the number follows it."""
    wanted = MAX_CONNECTIONS + FILES_BESIDE
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    files = wanted if hard == resource.RLIM_INFINITY else min(wanted, hard)
    if soft != resource.RLIM_INFINITY and soft < files:
        resource.setrlimit(resource.RLIMIT_NOFILE, (files, hard))
    connections = max(files - FILES_BESIDE, files // 2)
    if connections < MAX_CONNECTIONS:
        log.warning("gateway.few_files", files=files, wanted=wanted, requests=connections // 2)
    return connections


def _log_start(settings: Settings, instance_id: str, port: int) -> None:
    for problem in settings.authorities.problems:
        log.warning("gateway.variable_left_out", detail=problem)
    log.info(
        "gateway.started",
        version=version("slipgate"),
        host=settings.host,
        port=port,
        public_url=settings.public_url,
        database=_shown(settings.database),
        instance=instance_id,
        keys=list(settings.secret_keys),  # their ids
    )


def _shown(database: Location) -> str:
    return database.shown if isinstance(database, PostgresAddress) else str(database.resolve())


def _listener(settings: Settings) -> socket.socket:
    """Bound before anything is opened: a gateway that nobody can reach must not begin to work."""
    family = socket.AF_INET6 if ":" in settings.host else socket.AF_INET
    try:
        return socket.create_server((settings.host, settings.port), family=family)
    except OSError as exc:
        raise ApiError(
            "unavailable",
            f"{settings.host}:{settings.port} cannot be listened on: {exc.strerror}.",
            hint="Stop what listens there, or set SLIPGATE_HOST and SLIPGATE_PORT.",
        ) from exc


def _tune_garbage_collection() -> None:
    """Collect garbage rarely: by default it costs a tenth of each request. Objects of the imports
    live for ever and are never looked at again (to collect once would take 40 ms)."""
    gc.freeze()
    gc.set_threshold(10_000, 50, 50)
    gc.enable()


class _Server(uvicorn.Server):
    """Says that we drain as soon as a signal comes, or some seconds later, while open requests
    still end; looks ten times a second which callers are late."""

    def __init__(
        self,
        config: uvicorn.Config,
        connections: Connections,
        gateway: Gateway,
        stop_delay: int,
        manager: ServiceManager,
    ) -> None:
        super().__init__(config)
        self.server_state = connections
        self._connections = connections
        self._gateway = gateway
        self._stop_delay = stop_delay
        self._manager = manager
        self._loop = asyncio.get_running_loop()

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        self._manager.ready()

    async def on_tick(self, counter: int) -> bool:
        now = self._loop.time()
        self._manager.alive(now)
        for _ in range(SWEEPS):
            if not self._connections.sweep(now):
                break
            await asyncio.sleep(0)
        return await super().on_tick(counter)

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        # A signal comes between any two instructions: the loop must be told the safe way.
        if self._stop_delay:
            self._loop.call_soon_threadsafe(self._leave, sig)
            return
        self._loop.call_soon_threadsafe(self._drain)
        super().handle_exit(sig, frame)
        # uvicorn raises the signal again once it is done, which would cut our own drain short.
        self._captured_signals.clear()

    def _leave(self, sig: int) -> None:
        """Goes on for some seconds, in which a load balancer learns that we are not ready; a second
        signal does not wait for their end."""
        log.info("gateway.leaving", seconds=self._stop_delay)
        seconds, self._stop_delay = self._stop_delay, 0
        self._gateway.leave()
        self._loop.call_later(seconds, self.handle_exit, sig, None)

    def _drain(self) -> None:
        log.info("gateway.draining")
        self._manager.stopping()
        self._gateway.stop()


def _config(settings: Settings, app: ASGIApp) -> uvicorn.Config:
    return uvicorn.Config(
        app,
        host=settings.host,
        port=settings.port,
        loop="uvloop",
        http=Connection,
        ws="none",
        lifespan="off",  # `opened` is the lifespan: it outlives the last request
        log_config=None,
        log_level="error",  # a line for each caller who speaks no HTTP is one too many
        access_log=False,
        server_header=False,
        proxy_headers=bool(settings.trusted_proxies),
        forwarded_allow_ips=list(settings.trusted_proxies),
        timeout_keep_alive=IDLE_SECONDS,
        timeout_graceful_shutdown=DRAIN_SECONDS,
    )


def _event_loop() -> asyncio.AbstractEventLoop:
    import uvloop  # noqa: PLC0415 - only a served gateway needs it

    loop: asyncio.AbstractEventLoop = uvloop.new_event_loop()
    return loop
