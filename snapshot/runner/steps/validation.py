"""The validation step: the patch in a clean checkout, and the checks there."""

import traceback
from pathlib import Path

from ..agent_summary import parse
from ..failure import Failure
from ..publication.publisher import Work
from ..reporting.events import Receipt
from ..reporting.final_event import review
from ..repository import base_texts, clean_checkout, submodules
from ..repository.clean_checkout import Applied
from ..repository.remote import Clone
from ..stop import Stopped
from ..validation.baseline import CACHE, BaseCommit
from ..validation.declared import is_declaring
from ..validation.run import Validation
from .agent_work import AgentWork
from .context import StepContext, Unusable


def validate(context: StepContext, work: AgentWork) -> Work:
    """Raises `Unusable` if the patch does not apply."""
    workdir = context.state.workdir("clean")
    summary, warnings = work.kept.summary, work.kept.warnings
    try:
        applied = clean_checkout.apply(context.git, work.clone, work.patch, workdir / "ours")
    except Failure as failure:
        raise Unusable(summary, failure.message) from failure
    context.enter("validate", "Validating in a clean checkout")
    receipts: list[Receipt] = []
    note = ""
    try:
        _run_checks(context, work.clone, applied, workdir, receipts)
    except Stopped:
        raise
    except (Failure, OSError) as exc:
        note = f"Validation could not be done: {exc}."
    except Exception as exc:  # noqa: BLE001 - the repository's texts: its work is kept and goes out
        traceback.print_exc()
        note = f"Validation could not be done: {type(exc).__name__}."
    reviewed = review(summary, receipts, warnings=warnings, is_whole=work.is_whole)
    described = parse(summary)
    return Work(
        clone=work.clone,
        patch=work.patch,
        agent_title=described.title,
        agent_summary=described.text,
        review=reviewed.with_note(note, is_complete=False) if note else reviewed,
        receipts=tuple(receipts),
    )


def _run_checks(
    context: StepContext, clone: Clone, applied: Applied, workdir: Path, receipts: list[Receipt]
) -> None:
    def on_receipt(receipt: Receipt) -> None:
        receipts.append(receipt)
        context.log.write(f"$ {receipt.command}\n{receipt.output_tail}[{receipt.status}]\n")
        context.log.flush()
        context.enter("validate", f"{receipt.command}: {receipt.status.replace('_', ' ')}")

    Validation(
        runner=context.runner,
        checkout=_filled(context, clone, applied, workdir),
        environ=context.command_env(workdir),
        budget=context.services.budget,
        on_receipt=on_receipt,
        changed=clean_checkout.changed_paths(context.git, applied),
        base=_base(context, clone),
    ).run(context.configuration.checks)


def _filled(context: StepContext, clone: Clone, applied: Applied, workdir: Path) -> Path:
    """A checkout of the applied tree, with its submodules."""
    checkout = workdir / "checkout"
    clean_checkout.fill(context.git, clone, applied, checkout)
    submodules.fill(context.git, context.clones.found, workdir, checkout)
    return checkout


def _base(context: StepContext, clone: Clone) -> BaseCommit:
    """The base commit, of which a checkout is made once a check has failed."""

    def checkout() -> tuple[Path, dict[str, str]]:
        workdir = context.state.workdir("base")
        unchanged = clean_checkout.unchanged(context.git, clone, workdir / "ours")
        return _filled(context, clone, unchanged, workdir), context.command_env(workdir)

    return BaseCommit(
        sha=clone.base_sha,
        texts=base_texts.read(context.git, context.declaring or clone, is_declaring),
        checkout=checkout,
        cache=context.state.path / CACHE,
    )
