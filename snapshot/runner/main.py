"""The composition root: environ → configuration → spool, sender, heartbeat → workflow → exit."""

import os
import signal
import sys
import threading
import traceback
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from .agent.child_env import ChildEnv
from .agent.hardening import harden, sweep
from .agent.landlock import DAEMON_PORTS, Confinement, abi
from .budget import Budget
from .configuration import Configuration, Connection
from .digest import script_digest
from .exit_code import STOPPED, ExitCode, exit_code
from .failure import Failure
from .network.client import Network
from .reporting.channel import Channel, FlatChannel, SignedChannel
from .reporting.events import FinalEvent
from .reporting.final_event import failed
from .reporting.heartbeat import Heartbeat
from .reporting.messages import MessageBuilder
from .reporting.recovery import Recovered
from .reporting.redaction import Redaction
from .reporting.reporter import Reporter
from .reporting.signing import Signer
from .reporting.spool import Message, Spool
from .reporting.standing import GatewayStatus
from .state_directory import StateDirectory
from .stop import Reason, Stop, Stopped
from .variables import Problems
from .workflow import Tools, Workflow

RESCUE_SECONDS = 4.0
"""What an agent that was stopped has done is kept within this time."""
LATE_DELIVERY_SECONDS = 4.0
"""A cancelled attempt must be over within 10 s; what is not sent by then is in the spool."""
HIDDEN = "SLIPGATE_HIDDEN"
"""Names further paths that no command may read, as PATH names its folders."""
IN_DAYTONA = "DAYTONA_SANDBOX_ID"
"""Set by Daytona in each of its sandboxes."""
TOLD = frozenset({Reason.CANCELLED, Reason.TIME_OVER})
"""Reasons that end the attempt with a last word of ours."""
SIGNALS = (signal.SIGTERM, signal.SIGINT)


def main(
    environ: Mapping[str, str], *, landlock: int | None = None, death: str | None = None
) -> ExitCode:
    """Run one attempt, or finish reporting what an earlier start of it did. `landlock` limits the
    version that commands are confined with; `death` says how the runner before this one died, of
    whose work only the end is told."""
    harden()
    digest = script_digest()
    print(f"slipgate: scripts={digest}", flush=True)
    try:
        connection = Connection.from_environ(environ)
        state = StateDirectory(connection.state_directory)
    except (Problems, Failure) as exc:
        return _unconfigured(exc)
    try:
        with state.held(os.getppid()):
            confinement = _confinement(environ, state, landlock)
            attempt = Attempt(environ, connection, state, confinement, digest)
            return attempt.run() if death is None else attempt.report_death(death)
    except Failure as failure:
        print(f"slipgate: {failure.message}", file=sys.stderr, flush=True)
        return ExitCode.ALREADY_RUNNING


@dataclass(frozen=True, kw_only=True, slots=True)
class _Reporting:
    """The ways out of one attempt."""

    spool: Spool
    channel: Channel | None
    reporter: Reporter
    heartbeat: Heartbeat


class Attempt:
    """Owns everything that lives as long as the process."""

    def __init__(
        self,
        environ: Mapping[str, str],
        connection: Connection,
        state: StateDirectory,
        confinement: Confinement,
        script_digest: str,
    ) -> None:
        self._network = Network.from_environ(environ)
        environ = self._network.usable(environ)
        self._confinement = confinement
        self._environ = environ
        self._connection = connection
        self._script_digest = script_digest
        self._state = state
        self._stop = Stop()
        child_env = ChildEnv.from_environ(environ)
        self._child_env = child_env
        self._redaction = Redaction.from_environ(environ)
        self._reporting = self._make_reporting()
        self._recovered = Recovered.from_entries(self._reporting.spool.entries)

    def run(self) -> ExitCode:
        """Say, do, and end."""
        for problem in self._network.problems:
            print(f"slipgate: {problem}", file=sys.stderr, flush=True)
        listen_for_signals(self._stop)
        self._reporting.reporter.start()
        if self._recovered.has_ended:
            return self._finish_reporting()
        self._reporting.heartbeat.start()
        workflow: Workflow | None = None
        try:
            workflow = self._workflow()
            word = workflow.run()
        except Problems as problems:
            word = _misconfigured(problems)
        except Stopped as stopped:
            return self._stopped(stopped, workflow)
        except Exception as exc:  # noqa: BLE001 - the top: even our own mistake is a last word
            word = _unforeseen(exc, workflow)
        return self._end(word)

    def report_death(self, how: str) -> ExitCode:
        """Keep what the agent of a runner that died has done, and say that it died."""
        listen_for_signals(self._stop)
        self._reporting.reporter.start()
        if self._recovered.has_ended:
            return self._finish_reporting()
        try:
            word = self._workflow().after_death(how)
        except Problems as problems:
            word = _misconfigured(problems)
        return self._end(word)

    def _finish_reporting(self) -> ExitCode:
        self._reporting.reporter.drain(seconds=self._connection.delivery_seconds)
        return ExitCode.FAILED if self._recovered.has_failed else ExitCode.DONE

    def _end(self, word: FinalEvent) -> ExitCode:
        self._reporting.heartbeat.close()
        seconds = self._connection.delivery_seconds
        self._reporting.reporter.finish(word, seconds=seconds)
        self._state.clear()
        self._reporting.spool.settle()
        return exit_code(word)

    def _stopped(self, stopped: Stopped, workflow: Workflow | None) -> ExitCode:
        sweep()
        self._reporting.heartbeat.close()
        if workflow is not None:
            workflow.rescue(seconds=RESCUE_SECONDS)
        if stopped.reason in TOLD and workflow is not None:
            detail = f"stopped in the stage {workflow.stage}: {stopped.detail}"
            word = workflow.failed(Failure(stopped.reason.value, detail))
            self._reporting.reporter.finish(word, seconds=LATE_DELIVERY_SECONDS)
        else:
            self._reporting.reporter.send_rest(seconds=LATE_DELIVERY_SECONDS)
        print(f"slipgate: stopped: {stopped.detail}", file=sys.stderr, flush=True)
        return STOPPED[stopped.reason]

    def _make_reporting(self) -> _Reporting:
        connection = self._connection
        signer = Signer(connection.webhook_secret) if connection.webhook_secret else None
        spool = Spool(connection.state_directory, is_ours=_judge_of(signer))
        builder = MessageBuilder(
            task_id=connection.task_id,
            attempt=connection.attempt,
            signer=signer,
            redaction=self._redaction,
        )
        channel = _channel(connection, signer, self._network)
        status = GatewayStatus(self._stop)
        reporter = Reporter(
            spool=spool,
            builder=builder,
            channel=channel,
            status=status,
            stop=self._stop,
            ask_seconds=connection.ask_seconds,
        )
        heartbeat = Heartbeat(channel=channel, builder=builder, status=status, spool=reporter.emit)
        return _Reporting(spool=spool, channel=channel, reporter=reporter, heartbeat=heartbeat)

    def _workflow(self) -> Workflow:
        configuration = Configuration.from_environ(self._environ)
        budget = Budget(
            run_seconds=configuration.run_seconds, began_at=self._reporting.spool.began_at
        )
        stop_after(self._stop, budget.seconds)
        channel = self._reporting.channel
        tools = Tools(
            stop=self._stop,
            reporter=self._reporting.reporter,
            channel=channel if isinstance(channel, SignedChannel) else None,
            state=self._state,
            recovered=self._recovered,
            child_env=self._child_env,
            network=self._network,
            confinement=self._confinement,
            redaction=self._redaction,
            ours=Redaction.of_ours(self._environ),
            budget=budget,
            script_digest=self._script_digest,
        )
        return Workflow(configuration, tools)


def _confinement(
    environ: Mapping[str, str], state: StateDirectory, landlock: int | None
) -> Confinement:
    """Commands see nothing of our state, nor of what the launcher names: its own, beside us."""
    named = [Path(name) for name in environ.get(HIDDEN, "").split(os.pathsep) if name]
    version = abi() if landlock is None else min(landlock, abi())
    closed = DAEMON_PORTS if environ.get(IN_DAYTONA) else ()
    return Confinement.made((state.path, *named), version=version, closed_ports=closed)


def listen_for_signals(stop: Stop) -> None:
    """Take SIGTERM and SIGINT in a thread of their own; a handler could meet our own locks."""
    signal.pthread_sigmask(signal.SIG_BLOCK, SIGNALS)

    def listen() -> None:
        number = signal.sigwait(SIGNALS)
        stop.request(Reason.TERMINATED, f"received {signal.Signals(number).name}")

    threading.Thread(target=listen, name="signals", daemon=True).start()


def stop_after(stop: Stop, seconds: float) -> None:
    """End the attempt by ourselves when its time is over, whatever it waits for."""
    detail = "the attempt's time is over"
    timer = threading.Timer(seconds, stop.request, (Reason.TIME_OVER, detail))
    timer.daemon = True
    timer.start()


def _channel(connection: Connection, signer: Signer | None, network: Network) -> Channel | None:
    if signer is not None:
        if connection.webhook_url is None:
            return None
        return SignedChannel(
            url=connection.webhook_url,
            signer=signer,
            traceparent=connection.traceparent,
            network=network,
        )
    if connection.flat_url is not None:
        return FlatChannel(
            url=connection.flat_url,
            task_id=connection.task_id,
            workspace_id=connection.workspace_id,
            network=network,
        )
    return None


def _judge_of(signer: Signer | None) -> Callable[[Message], bool]:
    if signer is None:
        return lambda _: True
    return lambda message: signer.is_ours(
        message.id, message.timestamp, message.body, message.signature
    )


def _unforeseen(exc: Exception, workflow: Workflow | None) -> FinalEvent:
    traceback.print_exc()
    failure = Failure("internal", f"{type(exc).__name__}: {exc}", retryable=True)
    if workflow is None:
        return failed("setup", failure, log_tail="")
    workflow.rescue(seconds=RESCUE_SECONDS)
    return workflow.failed(failure)


def _misconfigured(problems: Problems) -> FinalEvent:
    for problem in problems.problems:
        print(f"slipgate: {problem}", file=sys.stderr, flush=True)
    failure = Failure("configuration", f"the environment is wrong: {problems}")
    return failed("setup", failure, log_tail="")


def _unconfigured(exc: Problems | Failure) -> ExitCode:
    lines = exc.problems if isinstance(exc, Problems) else [exc.message]
    for line in lines:
        print(f"slipgate: {line}", file=sys.stderr, flush=True)
    return ExitCode.CONFIGURATION
