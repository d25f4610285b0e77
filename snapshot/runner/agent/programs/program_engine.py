"""The engine that runs a coding agent with a command line.

Its output is read as it comes: for the log, the usage and the progress. The limits of turns, cost
and time are kept from outside: past one of them the program gets SIGTERM and then SIGKILL, and its
work stays in the checkout. It reaches its model through a relay, and never has its key.
"""

from pathlib import Path
from typing import Final

import msgspec

from ...configuration import AgentChoice
from ...failure import Failure
from ...truncation import last_of
from .. import limits
from ..command import CommandResult
from ..engine import AgentResult, EngineContext
from ..reaper import NOT_FOUND
from ..usage import Tokens
from . import session
from .allowance import Allowance
from .lines import Lines
from .program import Program, ProgramEvent
from .relay import Relay

SUMMARY_CHARACTERS: Final = 4_000
COMPLAINT_CHARACTERS: Final = 500
"""Of what a program printed beside its events before it ended with an error."""


class Counted:
    """The usage of a session that was read answer by answer."""

    def __init__(self) -> None:
        self._input = self._output = 0
        self._cost_usd = 0.0

    def add(self, tokens: Tokens) -> None:
        self._input += tokens.input
        self._output += tokens.output
        self._cost_usd += tokens.cost_usd or 0.0

    def missing_of(self, total: Tokens) -> Tokens | None:
        """The part of the session's total that was not read: answers of models beside the task's.

        None where all was read: then the cost is better known from each answer.
        """
        missing = max(0, total.input - self._input), max(0, total.output - self._output)
        if missing == (0, 0):
            return None
        cost = None if total.cost_usd is None else max(0.0, total.cost_usd - self._cost_usd)
        return Tokens(input=missing[0], output=missing[1], cost_usd=cost)


class LimitReached(Exception):
    """The program has to end, and its work stays."""

    def __init__(self, failure: Failure) -> None:
        super().__init__(failure.message)
        self.failure = failure


class ProgramEngine:
    def __init__(
        self, program: Program, choice: AgentChoice, context: EngineContext, *, is_priced: bool
    ) -> None:
        self._is_priced = is_priced
        self._program = program
        self._choice = choice
        self._context = context
        self._session: str | None = None
        self._counted = Counted()
        self._allowance = Allowance(choice, context)

    def work(self, prompt: str, checkout: Path) -> AgentResult:
        """Run the program to its end; a second call goes on with the session of the first.

        Raises:
            Failure: nothing is left of the limits.
            Stopped: the attempt was stopped; the program is dead.
        """
        context, program = self._context, self._program
        home = Path(context.environ["HOME"])
        run = _Run(program, self._choice, context, self._counted)
        limits.check(self._choice, context.meter.total)
        run.begin_turn()
        try:
            with Relay(program.upstream, context.network, self._allowance.take) as access:
                result = context.runner.run(
                    program.argv(access, self._session),
                    directory=checkout,
                    environ={**context.environ, **program.environ(access, home)},
                    seconds=context.budget.agent_seconds,
                    stdin=prompt.encode(errors="replace"),
                    on_output=run.feed,
                )
            run.finish()
            failure = self._failure(result, run)
        except LimitReached as reached:
            failure = reached.failure
        finally:
            self._session = run.session or self._session
            self._keep(run, home)
            context.log.flush()
        summary = last_of(run.summary, SUMMARY_CHARACTERS).strip()
        warnings = () if self._is_priced else (limits.UNPRICED,)
        return AgentResult(summary=summary, failure=failure, warnings=warnings)

    def _keep(self, run: "_Run", home: Path) -> None:
        source = self._program.session_file(home, self._session) if self._session else None
        session.keep(source, run.printed, self._context.trajectory)

    def _failure(self, result: CommandResult, run: "_Run") -> Failure | None:
        if result.is_timed_out:
            message = f"the agent was stopped after {result.seconds:.0f} s"
            return Failure("agent_time_over", message)
        if run.failure is not None or result.exit_code:
            return self._allowance.exceeded or self._own_failure(result, run)
        return None

    def _own_failure(self, result: CommandResult, run: "_Run") -> Failure:
        name = self._program.name
        if run.failure is not None:
            return run.failure
        if result.exit_code == NOT_FOUND:
            message = f"{name} is not installed in this sandbox: {self._program.advice}"
            return Failure("agent_not_found", message)
        words = last_of(run.complaint, COMPLAINT_CHARACTERS).strip()
        message = f"{name} ended with exit code {result.exit_code}{words and f': {words}'}"
        return Failure("agent_failed", message)


class _Run:
    """One run of the program, as far as its output tells."""

    def __init__(
        self, program: Program, choice: AgentChoice, context: EngineContext, counted: Counted
    ) -> None:
        self._program = program
        self._choice = choice
        self._context = context
        self._counted = counted
        self._lines = Lines()
        self._begun_turns = 0
        self.session: str | None = None
        self.summary = ""
        self.failure: Failure | None = None
        self.complaint = ""
        """The end of the output that is no event."""
        self.printed = session.Printed()

    def begin_turn(self) -> None:
        """Report the next turn, once; raises `Stopped`."""
        turn = self._choice.spent_turns + self._context.meter.total.turns + 1
        if turn != self._begun_turns:
            self._begun_turns = turn
            self._context.on_turn(turn)

    def feed(self, piece: bytes) -> None:
        """Take output; raises `LimitReached`, and `Stopped`."""
        for line in self._lines.feed(piece):
            self._take(line)

    def finish(self) -> None:
        """Take a last line without an end."""
        self._take(self._lines.rest())

    def _take(self, line: bytes) -> None:
        if not line.startswith(b"{"):
            self._complain(line)
            return
        self.printed.add(line)
        try:
            event = self._program.read(line)
        except (msgspec.MsgspecError, RecursionError):
            return
        self._context.log.write(event.text)
        self.session = event.session or self.session
        self.summary = self.summary if event.summary is None else event.summary
        self.failure = event.failure or (None if event.turns else self.failure)
        self._count(event)
        if event.failure is not None and event.ends_run:
            raise LimitReached(event.failure)
        if event.ends_step:
            self._check_limits()
            self.begin_turn()

    def _complain(self, line: bytes) -> None:
        text = line.decode(errors="replace").strip()
        if text:
            self.complaint = (self.complaint + text + "\n")[-4 * COMPLAINT_CHARACTERS :]
            self._context.log.write(f"{text}\n")

    def _count(self, event: ProgramEvent) -> None:
        meter = self._context.meter
        for tokens in event.turns:
            meter.count(tokens)
            self._counted.add(tokens)
        if event.total is not None and (missing := self._counted.missing_of(event.total)):
            meter.count(missing, turns=0)
            self._counted.add(missing)
        if self._choice.spent_turns + meter.total.turns > self._choice.max_turns:
            self._check_limits()

    def _check_limits(self) -> None:
        try:
            limits.check(self._choice, self._context.meter.total)
        except Failure as failure:
            raise LimitReached(failure) from failure
