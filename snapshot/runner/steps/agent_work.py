"""The work of an agent that ended: the patch that is kept, and may go out."""

from typing import Final

import msgspec

from ..agent.engine import AgentResult
from ..agent.limits import UNPRICED
from ..failure import Failure, RepositoryRejected
from ..reporting.kept_patch import KeptPatch
from ..repository import resume
from ..repository.exclusions import is_harmless
from ..repository.patch import Patch
from ..repository.remote import Clone
from ..repository.work_on_disk import WholePatch
from .context import StepContext, Unusable
from .preparation import Start

UNFINISHED: Final = "The agent did not finish"


class AgentWork(msgspec.Struct, frozen=True, kw_only=True):
    """Of an agent of now, of an earlier start, or of an earlier attempt."""

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
    clone, patch = resume.reapply(
        context.git, start.remote, start.clone, kept, workdir, moves=context.continues
    )
    context.clones.make(start.repository, clone)
    for warning in context.clones.warnings:
        context.log.write(f"{warning}\n")
    is_whole = all(is_harmless(one) or one == UNPRICED for one in kept.warnings)
    return AgentWork(clone=clone, patch=patch, kept=kept, is_whole=is_whole)


def is_finished(kept: KeptPatch) -> bool:
    """True if its agent said that it was done."""
    return not any(sentence.startswith(UNFINISHED) for sentence in kept.warnings)


def finished(
    context: StepContext, clone: Clone, result: AgentResult, warnings: tuple[str, ...]
) -> AgentWork:
    """Keep the work of an agent that has ended; `warnings` are those of its checkout.

    Raises `Unusable`, and the agent's own failure if it changed nothing.
    """
    if result.failure is None:
        context.saved.finish()
    context.enter("patch", "Reading what changed")
    try:
        patch = context.saved.make()
    except RepositoryRejected as rejected:
        raise Unusable(result.summary, rejected.message) from rejected
    work = _kept(context, clone, patch, result, warnings)
    if not patch.main.text:
        _reject_unchanged(context, result, work.kept, warnings)
    if patch.main.refusal:
        raise Unusable(result.summary, patch.main.refusal)
    return work


def repaired(
    context: StepContext, clone: Clone, result: AgentResult, warnings: tuple[str, ...]
) -> AgentWork | str:
    """Keep the work of an agent that has repaired its own.

    What was kept before stays, and the reason is returned, if nothing of it is to go out.
    """
    saved = context.saved
    if result.failure is not None:
        return f"the agent did not finish ({result.failure.code}): {result.failure.message}"
    context.enter("patch", "Reading what changed")
    try:
        patch = saved.make()
    except Failure as failure:
        return failure.message
    if saved.kept is not None and patch.text == saved.kept.text:
        return "the agent changed nothing"
    if patch.main.refusal or not patch.main.text:
        return patch.main.refusal or "the agent took back all its changes"
    saved.finish()
    return _kept(context, clone, patch, result, warnings)


def _kept(
    context: StepContext,
    clone: Clone,
    patch: WholePatch,
    result: AgentResult,
    warnings: tuple[str, ...],
) -> AgentWork:
    failure = result.failure
    if failure is not None:
        unfinished = f"{UNFINISHED} ({failure.code}): {failure.message}."
        warnings = (unfinished, *warnings)
    kept = context.saved.save(patch, summary=result.summary, warnings=warnings)
    is_whole = patch.is_whole and failure is None
    return AgentWork(clone=clone, patch=patch.main, kept=kept, is_whole=is_whole)


def _reject_unchanged(
    context: StepContext, result: AgentResult, kept: KeptPatch, warnings: tuple[str, ...]
) -> None:
    if result.failure is not None and not kept.text:
        context.stage = "agent"
        raise result.failure
    if len(kept.warnings) > len(warnings):
        raise Unusable(result.summary, "nothing of what the agent did can go out")
    raise Unusable(result.summary, "the agent said that it was done, but changed nothing")
