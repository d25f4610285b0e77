"""The agent's step: its checkout, its run, and the patch that is kept of what it did."""

import traceback
from functools import cached_property

import msgspec

from ..agent import instructions
from ..agent.engine import AgentResult, EngineContext, make_engine
from ..agent.prompt import Briefing, first_prompt
from ..agent.usage import Meter
from ..failure import Failure, RepositoryRejected
from ..reporting.kept_patch import KeptPatch
from ..repository import base_texts, resume, submodules
from ..repository.patch import Patch
from ..repository.remote import Clone
from ..stop import Stopped
from ..validation.declared import planned_checks
from .context import StepContext, Unusable
from .preparation import Start
from .setup import set_up


class AgentWork(msgspec.Struct, frozen=True, kw_only=True):
    """The work of an agent that ended: now, in an earlier start, or in an earlier attempt."""

    clone: Clone
    """At the commit that the patch applies to."""
    patch: Patch
    kept: KeptPatch
    is_whole: bool
    """False: a person must look at the agent's end, or at what was excluded."""


def taken_up(context: StepContext, start: Start, kept: KeptPatch) -> AgentWork:
    """The work of an earlier agent; raises `patch_does_not_apply`."""
    context.enter("patch", "Taking up what an earlier agent did")
    workdir = context.state.workdir("resumed")
    clone, patch = resume.reapply(context.git, start.remote, start.clone, kept, workdir)
    return AgentWork(clone=clone, patch=patch, kept=kept, is_whole=resume.is_whole(kept))


class AgentSession:
    """One agent in one checkout."""

    def __init__(self, context: StepContext, start: Start) -> None:
        """Make the agent's checkout, submodules included, and put it on record."""
        self._context = context
        self._start = start
        self._directory = context.state.workdir("agent") / "checkout"
        checkout = submodules.AgentCheckout(context.git, context.access, self._directory)
        checkout.make(start.repository, start.clone)
        self._warnings = tuple(checkout.warnings)
        theirs = context.git.at(self._directory)
        reference = f"refs/heads/{context.branch}"
        theirs("update-ref", reference, start.clone.base_sha)
        theirs("symbolic-ref", "HEAD", reference)
        environ = context.command_env(self._directory.parent)
        self._environ = set_up(context, checkout.states, environ)
        context.saved.begin(tuple(checkout.states))
        self._meter = Meter(context.reporter.emit, context.services.recovered.usage)
        self._checks = self._planned_checks()

    def work(self) -> AgentWork:
        """Run the agent to its end and keep its work; raises `Unusable`, and the agent's failure
        if it changed nothing."""
        self._context.enter("agent", "The agent begins")
        return self._save(self._run(first_prompt(self._briefing)))

    @property
    def _briefing(self) -> Briefing:
        configuration, texts = self._context.configuration, self._texts
        choice, spent = configuration.agent, self._meter.total
        return Briefing(
            task=self._start.prompt,
            choice=choice,
            turns_left=max(0, choice.max_turns - spent.turns),
            dollars_left=max(0.0, choice.max_cost_usd - spent.cost_usd),
            seconds_left=self._context.services.budget.agent_seconds,
            base_sha=self._start.clone.base_sha,
            checks=self._checks,
            instructions=instructions.found(texts),
            template=instructions.template(texts),
        )

    @cached_property
    def _texts(self) -> dict[str, str]:
        return base_texts.read(self._context.git, self._start.clone, instructions.is_wanted)

    def _planned_checks(self) -> tuple[str, ...]:
        checks = self._context.configuration.checks
        if checks is None:
            return planned_checks(self._directory, self._environ)
        return tuple(" ".join(check) for check in checks)

    def _run(self, prompt: str) -> AgentResult:
        choice, model = self._context.configuration.agent, self._context.configuration.model
        try:
            return make_engine(choice, model, self._engine_context).work(prompt, self._directory)
        except Stopped:
            raise
        except Failure as failure:
            return AgentResult(summary="", failure=failure)
        except Exception as exc:  # noqa: BLE001 - foreign code: the work so far goes on
            traceback.print_exc()
            unforeseen = Failure("internal", f"{type(exc).__name__}: {exc}", retryable=True)
            return AgentResult(summary="", failure=unforeseen)

    @cached_property
    def _engine_context(self) -> EngineContext:
        context, services = self._context, self._context.services
        return EngineContext(
            stop=services.stop,
            runner=context.runner,
            environ=self._environ,
            budget=services.budget,
            log=context.log,
            meter=self._meter,
            on_turn=self._on_turn,
            trajectory=context.state.path / "trajectory.json",
            network=services.network,
        )

    def _on_turn(self, turn: int) -> None:
        context = self._context
        context.log.flush()
        context.services.stop.check()
        context.enter("agent", f"turn {turn} of {context.configuration.agent.max_turns}")

    def _save(self, result: AgentResult) -> AgentWork:
        context = self._context
        self._warnings = tuple(dict.fromkeys((*self._warnings, *result.warnings)))
        finished = context.saved.finish()
        context.enter("patch", "Reading what changed")
        try:
            patch = context.saved.make(finished)
        except RepositoryRejected as rejected:
            raise Unusable(result.summary, rejected.message) from rejected
        failure, warnings = result.failure, self._warnings
        if failure is not None:
            unfinished = f"The agent did not finish ({failure.code}): {failure.message}."
            warnings = (unfinished, *warnings)
        kept = context.saved.save(patch, summary=result.summary, warnings=warnings)
        if not patch.main.text:
            self._reject_unchanged(result, kept)
        if patch.main.refusal:
            raise Unusable(result.summary, patch.main.refusal)
        is_whole = patch.is_whole and failure is None
        return AgentWork(clone=self._start.clone, patch=patch.main, kept=kept, is_whole=is_whole)

    def _reject_unchanged(self, result: AgentResult, kept: KeptPatch) -> None:
        if result.failure is not None and not kept.text:
            self._context.stage = "agent"
            raise result.failure
        if len(kept.warnings) > len(self._warnings):
            raise Unusable(result.summary, "nothing of what the agent did can go out")
        raise Unusable(result.summary, "the agent said that it was done, but changed nothing")
