"""The composition root: environ → configuration → spool, sender, heartbeat → workflow → exit."""

import os
import signal
import sys
import threading
import traceback
from collections.abc import Mapping
from functools import partial
from pathlib import Path
from typing import Final

from .agent import syscall_filter
from .agent.child_env import ChildEnv
from .agent.landlock import DAEMON_PORTS, Confinement, abi
from .agent.reaper import harden, kill_all
from .configuration import Configuration, Connection
from .digest import script_digest
from .exit_code import ExitCode
from .failure import Failure
from .github_token import GitHubToken
from .network.client import Network
from .reporting.channel import Channel, FlatChannel, SignedChannel
from .reporting.delivery import GatewayStatus
from .reporting.events import Failed, FinalEvent
from .reporting.fetch import fetch_github_token
from .reporting.final_event import failed
from .reporting.heartbeat import Heartbeat
from .reporting.messages import MessageBuilder
from .reporting.recovery import Recovered
from .reporting.redaction import Redaction
from .reporting.reporter import Reporter
from .reporting.signing import Signer
from .reporting.spool import Spool
from .services import Services
from .state_directory import StateDirectory
from .stop import Reason, Stop, Stopped
from .time_budget import Budget
from .variables import Problems
from .workflow import Workflow

RESCUE_SECONDS: Final = 4.0
"""To save the work of an agent that was stopped."""
LATE_DELIVERY_SECONDS: Final = 4.0
"""A cancelled attempt must be over within 10 s; the launcher sends what is left in the spool."""
HIDDEN: Final = "SLIPGATE_HIDDEN"
"""Further paths that no command may read, written like PATH: the launcher's own."""
IN_DAYTONA: Final = "DAYTONA_SANDBOX_ID"
"""Set by Daytona in each of its sandboxes."""
REPORTED: Final = frozenset({Reason.CANCELLED, Reason.TIME_OVER})
"""Reasons to stop that end the attempt with a final event of ours."""
STOPPED: Final = {
    Reason.CANCELLED: ExitCode.CANCELLED,
    Reason.FENCED: ExitCode.FENCED,
    Reason.TIME_OVER: ExitCode.FAILED,
    Reason.TERMINATED: ExitCode.TERMINATED,
}
SIGNALS: Final = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP)


def main(
    environ: Mapping[str, str], *, landlock: int | None = None, death: str | None = None
) -> ExitCode:
    """Run one attempt, or finish the reports of an earlier start of it.

    `landlock` limits the version that commands are confined with; `death` says how the runner
    before this one died, of whose work only the end is reported.
    """
    harden()
    digest = script_digest()
    print(f"slipgate: scripts={digest}", flush=True)
    try:
        connection = Connection.from_environ(environ)
        state = StateDirectory(connection.state_directory)
    except Problems as exc:
        _print(*exc.problems)
        return ExitCode.CONFIGURATION
    except Failure as failure:
        _print(failure.message)
        return ExitCode.CONFIGURATION
    try:
        with state.held(os.getppid()):
            confinement = _confinement(environ, state, landlock)
            attempt = Attempt(environ, connection, state, confinement, digest)
            return attempt.run() if death is None else attempt.report_death(death)
    except Failure as failure:
        _print(failure.message)
        return ExitCode.ALREADY_RUNNING


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
        self._environ = self._network.usable(environ)
        self._connection = connection
        self._state = state
        self._confinement = confinement
        self._script_digest = script_digest
        self._stop = Stop()
        self._redaction = Redaction.from_environ(self._environ)
        signer = Signer(connection.webhook_secret) if connection.webhook_secret else None
        builder = MessageBuilder(
            task_id=connection.task_id,
            attempt=connection.attempt,
            signer=signer,
            redaction=self._redaction,
        )
        self._channel = _channel(connection, signer, self._network)
        self._spool = Spool(connection.state_directory, is_ours=builder.is_ours)
        status = GatewayStatus(self._stop)
        self._reporter = Reporter(
            spool=self._spool,
            builder=builder,
            channel=self._channel,
            status=status,
            stop=self._stop,
            ask_seconds=connection.ask_seconds,
        )
        self._heartbeat = Heartbeat(
            channel=self._channel, builder=builder, status=status, spool=self._reporter.emit
        )
        self._recovered = Recovered.from_entries(self._spool.entries)

    def run(self) -> ExitCode:
        _print(*self._network.problems)
        _listen_for_signals(self._stop)
        self._reporter.start()
        if self._recovered.has_ended:
            return self._finish_reporting()
        if self._spool.entries and self._environ.get(IN_DAYTONA):
            return self._report_earlier_work()
        self._heartbeat.start()
        workflow: Workflow | None = None
        try:
            workflow = self._workflow()
            event = workflow.run()
        except Problems as problems:
            event = _misconfigured(problems)
        except Stopped as stopped:
            return self._stopped(stopped, workflow)
        except Exception as exc:  # noqa: BLE001 - the top: even our own mistake is a final event
            event = _unforeseen(exc, workflow)
        return self._end(event)

    def report_death(self, how: str) -> ExitCode:
        """Save the agent's work of a runner that died, and report its death."""
        _listen_for_signals(self._stop)
        self._reporter.start()
        if self._recovered.has_ended:
            return self._finish_reporting()
        try:
            event = self._workflow().after_death(how)
        except Problems as problems:
            event = _misconfigured(problems)
        return self._end(event)

    def _report_earlier_work(self) -> ExitCode:
        """Report the work of a start that was stopped, for the launcher that started the sandbox
        again to read it: the attempt is over, and no agent is paid again."""
        try:
            self._workflow().recover()
        except Problems as problems:
            _print(*problems.problems)
        self._reporter.send_rest(seconds=LATE_DELIVERY_SECONDS)
        _print("an earlier start was stopped; only its work is reported")
        return ExitCode.TERMINATED

    def _finish_reporting(self) -> ExitCode:
        self._reporter.drain(seconds=self._connection.delivery_seconds)
        return ExitCode.FAILED if self._recovered.has_failed else ExitCode.DONE

    def _end(self, event: FinalEvent) -> ExitCode:
        self._heartbeat.close()
        self._reporter.finish(event, seconds=self._connection.delivery_seconds)
        self._state.clear()
        self._spool.flush()
        return ExitCode.FAILED if isinstance(event, Failed) else ExitCode.DONE

    def _stopped(self, stopped: Stopped, workflow: Workflow | None) -> ExitCode:
        kill_all()
        self._heartbeat.close()
        if workflow is not None:
            workflow.rescue(seconds=RESCUE_SECONDS)
        if stopped.reason in REPORTED and workflow is not None:
            detail = f"stopped in the stage {workflow.stage}: {stopped.detail}"
            event = workflow.failed(Failure(stopped.reason.value, detail))
            self._reporter.finish(event, seconds=LATE_DELIVERY_SECONDS)
        else:
            self._reporter.send_rest(seconds=LATE_DELIVERY_SECONDS)
        _print(f"stopped: {stopped.detail}")
        return STOPPED[stopped.reason]

    def _workflow(self) -> Workflow:
        configuration = Configuration.from_environ(self._environ)
        budget = Budget(run_seconds=configuration.run_seconds, began_at=self._spool.began_at)
        self._stop.request_after(budget.seconds, "the attempt's time is over")
        ours = Redaction.of_ours(self._environ)
        if configuration.github_token is not None:
            self._connect(configuration.github_token, ours)
        services = Services(
            stop=self._stop,
            reporter=self._reporter,
            channel=self._channel if isinstance(self._channel, SignedChannel) else None,
            state=self._state,
            recovered=self._recovered,
            child_env=ChildEnv.from_environ(self._environ),
            network=self._network,
            confinement=self._confinement,
            redaction=self._redaction,
            ours=ours,
            budget=budget,
            script_digest=self._script_digest,
        )
        return Workflow(configuration, services)

    def _connect(self, token: GitHubToken, ours: Redaction) -> None:
        """Let the token be renewed by the gateway."""
        url = self._connection.github_token_url
        if url is None or not isinstance(self._channel, SignedChannel):
            return

        def learn(secret: str) -> None:
            self._redaction.add(secret)
            ours.add(secret)

        token.connect(partial(fetch_github_token, self._channel, url, self._stop.sleep), learn)


def _listen_for_signals(stop: Stop) -> None:
    """Take them in a thread of their own; a handler could meet our own locks."""
    signal.pthread_sigmask(signal.SIG_BLOCK, SIGNALS)

    def listen() -> None:
        number = signal.sigwait(SIGNALS)
        stop.request(Reason.TERMINATED, f"received {signal.Signals(number).name}")

    threading.Thread(target=listen, name="signals", daemon=True).start()


def _confinement(
    environ: Mapping[str, str], state: StateDirectory, landlock: int | None
) -> Confinement:
    named = [Path(name) for name in environ.get(HIDDEN, "").split(os.pathsep) if name]
    version = abi() if landlock is None else min(landlock, abi())
    closed = DAEMON_PORTS if environ.get(IN_DAYTONA) else ()
    return Confinement.made(
        (state.path, *named),
        version=version,
        closed_ports=closed,
        has_filter=syscall_filter.is_available(),
    )


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
    if connection.flat_url is None:
        return None
    return FlatChannel(
        url=connection.flat_url,
        task_id=connection.task_id,
        workspace_id=connection.workspace_id,
        network=network,
    )


def _unforeseen(exc: Exception, workflow: Workflow | None) -> FinalEvent:
    traceback.print_exc()
    failure = Failure("internal", f"{type(exc).__name__}: {exc}", retryable=True)
    if workflow is None:
        return failed("setup", failure, log_tail="")
    workflow.rescue(seconds=RESCUE_SECONDS)
    return workflow.failed(failure)


def _misconfigured(problems: Problems) -> FinalEvent:
    _print(*problems.problems)
    failure = Failure("configuration", f"the environment is wrong: {problems}")
    return failed("setup", failure, log_tail="")


def _print(*lines: str) -> None:
    for line in lines:
        print(f"slipgate: {line}", file=sys.stderr, flush=True)
