"""One agent in one checkout: its prompts, its runs, its limits over all of them."""

import shlex
import traceback
from collections.abc import Sequence
from functools import cached_property
from typing import Final

import msgspec

from ..agent import instructions
from ..agent.engine import AgentResult, Engine, EngineContext, make_engine
from ..agent.prompt import Briefing, first_prompt, repair_prompt
from ..agent.usage import Meter
from ..failure import Failure
from ..publication import conventions
from ..reporting.events import Receipt
from ..repository import base_texts, resume, starting_state
from ..stop import Stopped
from ..truncation import first_of
from ..validation.declared import is_declaring, planned_checks
from . import agent_work
from .agent_work import AgentWork
from .context import StepContext
from .preparation import Start, whole_prompt
from .setup import set_up

REPAIR_SECONDS: Final = 10.0
"""With less time a repair is not begun."""
TEMPLATE_CHARACTERS: Final = 4 * 1024


class AgentSession:
    def __init__(self, context: StepContext, start: Start) -> None:
        """Make the agent's checkout, submodules included, and put it on record."""
        self._context = context
        self._start = start
        self._directory = context.state.workdir("agent") / "checkout"
        context.clones.make(start.repository, start.clone)
        states = [
            starting_state.begin(context.git, clone, self._directory / path, path=path)
            for path, clone in context.clones.found
        ]
        theirs = context.git.at(self._directory)
        reference = f"refs/heads/{context.branch}"
        theirs("update-ref", reference, start.clone.base_sha)
        theirs("symbolic-ref", "HEAD", reference)
        environ = context.command_env(self._directory.parent)
        self._environ, problems = set_up(context, states, environ, lambda: self._declaring_texts)
        self._warnings = (*context.clones.warnings, *problems)
        self._setup_problems = problems
        context.saved.begin(tuple(states))
        self._meter = Meter(context.reporter.emit, context.services.recovered.usage)
        self._checks = self._planned_checks()
        self._has_failed = False

    @classmethod
    def of_earlier(cls, context: StepContext, start: Start, work: AgentWork) -> "AgentSession":
        """A session whose checkout has the work of an earlier attempt's agent.

        Raises `Failure` (it does not apply there, or the prompt cannot be fetched).
        """
        begun = msgspec.structs.replace(start, clone=work.clone, prompt=whole_prompt(context))
        session = cls(context, begun)
        resume.put(context.git, context.saved.states[0], work.patch)
        return session

    @property
    def can_go_on(self) -> bool:
        """True if the agent said that it was done, and can do more within its limits."""
        briefing = self._briefing
        is_paid_for = briefing.turns_left > 0 and briefing.dollars_left > 0
        return not self._has_failed and is_paid_for and briefing.seconds_left > REPAIR_SECONDS

    def work(self) -> AgentWork:
        """Run the agent to its end and keep its work; raises as `agent_work.finished`."""
        self._context.enter("agent", "The agent begins")
        result = self._run(first_prompt(self._briefing))
        return agent_work.finished(self._context, self._start.clone, result, self._warnings)

    def repair(self, failed: Sequence[Receipt], *, rounds_left: int) -> AgentWork | str:
        """Let the agent go on after checks that did not pass; as `agent_work.repaired`."""
        saved = self._context.saved
        summary = saved.kept.summary if saved.kept else ""
        saved.reopen()
        prompt = repair_prompt(self._briefing, failed, summary=summary, rounds_left=rounds_left)
        result = self._run(prompt)
        result = msgspec.structs.replace(result, summary=result.summary or summary)
        return agent_work.repaired(self._context, self._start.clone, result, self._warnings)

    @property
    def _briefing(self) -> Briefing:
        configuration, texts = self._context.configuration, self._texts
        choice, spent = configuration.agent, self._meter.total
        return Briefing(
            task=self._start.prompt,
            feedback=self._start.feedback,
            choice=choice,
            turns_left=max(0, choice.max_turns - choice.spent_turns - spent.turns),
            dollars_left=max(0.0, choice.cost_limit_usd - choice.spent_cost_usd - spent.cost_usd),
            seconds_left=self._context.services.budget.agent_seconds,
            base_sha=self._start.base.base_sha,
            checks=self._checks,
            setup_problems=self._setup_problems,
            instructions=instructions.found(texts),
            template=self._template,
            wants_title=not self._start.publisher.is_title_chosen,
        )

    @cached_property
    def _texts(self) -> dict[str, str]:
        return base_texts.read(self._context.git, self._start.base, _is_wanted)

    @cached_property
    def _declaring_texts(self) -> dict[str, str]:
        """Of the commit by which validation goes: in a continuation, not that of the branch."""
        context, start = self._context, self._start
        return base_texts.read(context.git, context.declaring or start.clone, is_declaring)

    @property
    def _template(self) -> str:
        """Of a new pull request: one that is gone on with has its text."""
        if self._context.continues:
            return ""
        text = conventions.template(self._texts, has_comments=True)
        return first_of(text, TEMPLATE_CHARACTERS)

    def _planned_checks(self) -> tuple[str, ...]:
        checks = self._context.configuration.checks
        if checks is not None:
            return tuple(shlex.join(check) for check in checks)
        try:
            return planned_checks(self._directory, self._environ, self._declaring_texts)
        except Exception:  # noqa: BLE001 - the repository's texts: the agent goes on without
            traceback.print_exc()
            return ()

    def _run(self, prompt: str) -> AgentResult:
        result = self._result(prompt)
        self._warnings = tuple(dict.fromkeys((*self._warnings, *result.warnings)))
        self._has_failed = result.failure is not None
        return result

    def _result(self, prompt: str) -> AgentResult:
        try:
            return self._engine.work(prompt, self._directory)
        except Stopped:
            raise
        except Failure as failure:
            return AgentResult(summary="", failure=failure)
        except Exception as exc:  # noqa: BLE001 - foreign code: the work so far goes on
            traceback.print_exc()
            unforeseen = Failure("internal", f"{type(exc).__name__}: {exc}", retryable=True)
            return AgentResult(summary="", failure=unforeseen)

    @cached_property
    def _engine(self) -> Engine:
        context, services = self._context, self._context.services
        engine_context = EngineContext(
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
        configuration = context.configuration
        return make_engine(configuration.agent, configuration.model, engine_context)

    def _on_turn(self, turn: int) -> None:
        context = self._context
        context.log.flush()
        context.services.stop.check()
        context.enter("agent", f"turn {turn} of {context.configuration.agent.max_turns}")


def _is_wanted(path: str) -> bool:
    return instructions.is_wanted(path) or conventions.is_wanted(path)
