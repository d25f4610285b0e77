"""The order of one attempt: clone, agent, patch, clean checkout, validate, push, propose.

From the patch on, the agent's work is kept, and each step can fail alone.
"""

import traceback

from .configuration import Configuration
from .failure import Failure, RepositoryRejected
from .reporting import final_event, trajectory
from .reporting.events import FinalEvent, Stage, Started
from .reporting.final_event import unusable
from .reporting.kept_patch import KeptPatch
from .services import Services
from .steps.agent_session import AgentSession
from .steps.agent_work import is_finished, taken_up
from .steps.context import StepContext, Unusable
from .steps.preparation import prepare
from .steps.publication import Outcome, is_temporary, propose, publish
from .steps.repair import repaired
from .steps.validation import validate
from .stop import Stopped


class Workflow:
    def __init__(self, configuration: Configuration, services: Services) -> None:
        self._configuration = configuration
        self._services = services
        self._context = StepContext(configuration, services)
        self._saved = self._context.saved

    @property
    def stage(self) -> Stage:
        return self._context.stage

    def run(self) -> FinalEvent:
        """Do the task and return the final event; raises `Stopped`."""
        snapshot = self._configuration.snapshot
        started = Started(script_digest=self._services.script_digest, snapshot=snapshot)
        self._context.reporter.ask(started)
        try:
            end = self._end()
        finally:
            self._context.log.flush()
        # Not at a stop, whose seconds belong to the patch.
        self._send_trajectory()
        return end

    def _end(self) -> FinalEvent:
        try:
            outcome = self._outcome()
            self._comment(outcome)
            return self._result(outcome)
        except Unusable as exc:
            self._comment_failure("needs_review", exc.reason)
            return self._unusable(exc.agent_summary, exc.reason)
        except Failure as failure:
            self._comment_failure(failure.code, failure.message)
            return self._ended_by(failure)
        except Stopped:
            raise
        except Exception as exc:
            if self._saved.kept is None or not self._saved.kept.text:
                raise
            traceback.print_exc()
            return self._ended_by(Failure("internal", f"{type(exc).__name__}: {exc}"))

    def _outcome(self) -> Outcome:
        context = self._context
        start = prepare(context)
        if start.pushed is not None:
            return propose(context, start, start.pushed)
        if start.earlier is not None:
            taken = taken_up(context, start, start.earlier)
            work = validate(context, taken)
            if start.is_adopted and is_finished(taken.kept):
                work = repaired(
                    context, lambda: AgentSession.of_earlier(context, start, taken), work
                )
        else:
            session = AgentSession(context, start)
            work = repaired(context, lambda: session, validate(context, session.work()))
        return publish(context, start, work)

    def _send_trajectory(self) -> None:
        """Send the record of the agent's turns; without it the attempt ends all the same."""
        path, context = self._context.state.path / "trajectory.json", self._context
        try:
            trajectory.send(path, context.reporter.emit, self._services.redaction)
        except Exception:  # noqa: BLE001 - it runs at the end of everything, and replaces no result
            traceback.print_exc()

    def failed(self, failure: Failure) -> FinalEvent:
        """The final event of an attempt that ends in this stage."""
        return final_event.failed(
            self.stage,
            failure,
            log_tail=self._context.log.tail,
            warnings=self._warnings(self._saved.kept),
            resumable=failure.retryable and self._saved.is_resumable,
        )

    def rescue(self, *, seconds: float) -> None:
        """Save the work of an agent that was interrupted."""
        self._saved.rescue(seconds=seconds)

    def recover(self) -> None:
        """Save the work of an earlier start."""
        self._context.stage = self._services.recovered.stage
        self._saved.recover_after_death()

    def after_death(self, how: str) -> FinalEvent:
        """Save the work of an attempt whose runner died, and return its final event."""
        self.recover()
        return self.failed(Failure("runner_died", f"the runner {how}", retryable=True))

    def _ended_by(self, failure: Failure) -> FinalEvent:
        """The final event after a failure: kept work needs a person, or another attempt."""
        kept = self._saved.kept
        if kept is None or not kept.text or isinstance(failure, RepositoryRejected):
            return self.failed(failure)
        if is_temporary(failure, continues=self._context.continues):
            return self.failed(Failure(failure.code, failure.message, retryable=True))
        return self._unusable(kept.summary, failure.message)

    def _comment(self, outcome: Outcome) -> None:
        """Tell in the thread what was pushed, unless the publisher has."""
        sha, thread = outcome.commit_sha, self._context.thread
        if sha is None:
            self._comment_failure("needs_review", outcome.review.summary)
        elif thread is not None:
            where = outcome.pr_url or f"`{self._context.branch}`"
            thread.end(f"slipgate pushed {sha} to {where}.")

    def _comment_failure(self, code: str, reason: str) -> None:
        """Tell in the thread of the pull request why nothing was pushed."""
        if self._context.thread is not None:
            self._context.thread.fail(code, reason)

    def _unusable(self, agent_summary: str, reason: str) -> FinalEvent:
        warnings = self._saved.kept.warnings if self._saved.kept else ()
        reviewed = unusable(agent_summary, reason, warnings=warnings)
        return self._result(Outcome(review=reviewed, receipts=()))

    def _result(self, outcome: Outcome) -> FinalEvent:
        kept = self._saved.kept or self._services.recovered.patch
        return final_event.result(
            self._context.branch,
            outcome.review,
            outcome.receipts,
            warnings=self._warnings(kept),
            patch=kept.text if kept else None,
            commit_sha=outcome.commit_sha,
            pr_url=outcome.pr_url,
            resumable=outcome.is_refused and self._saved.is_resumable,
        )

    def _warnings(self, kept: KeptPatch | None) -> tuple[str, ...]:
        unconfined = self._services.confinement.warning
        return (*(kept.warnings if kept else ()), *([unconfined] if unconfined else []))
