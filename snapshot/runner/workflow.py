"""The order of one attempt: clone, agent, patch, clean checkout, validate, push, propose.

From the patch on, the agent's work is kept, and each step can fail alone.
"""

import traceback
from pathlib import Path
from typing import Final

import msgspec

from .agent import virtual_environment
from .agent.child_env import ChildEnv
from .agent.command import Runner
from .agent.engine import AgentResult, EngineContext, make_engine
from .agent.landlock import Confinement, open_sockets
from .agent.usage import Meter
from .budget import Budget
from .configuration import Configuration
from .failure import Failure, RepositoryRejected
from .network.client import Network
from .publication import github
from .publication.publisher import Publisher, Work
from .reporting import final_event
from .reporting.channel import SignedChannel
from .reporting.events import FinalEvent, Progress, PushRequest, Receipt, Stage, Started
from .reporting.fetch import fetch_patch, fetch_prompt
from .reporting.final_event import Review, review, unusable
from .reporting.kept_patch import KeptPatch
from .reporting.log import Log
from .reporting.recovery import Recovered
from .reporting.redaction import Redaction
from .reporting.reporter import Reporter
from .repository import clean_checkout, resume, submodules
from .repository.access import Access
from .repository.address import Repository
from .repository.branches import base_moved
from .repository.clean_checkout import Applied
from .repository.git import Git
from .repository.patch import Patch
from .repository.remote import Clone, Remote
from .saved_work import SavedWork
from .state_directory import StateDirectory
from .stop import Stop, Stopped
from .text import title, visible
from .truncation import first_of
from .validation.run import Validation

TEMPORARY: Final = frozenset(
    {"clone_failed", "git_failed", "git_timed_out", "git_token_refused", "push_failed"}
)
"""Failures of a remote that is away: the work came from it, so it was there before."""


class Services(msgspec.Struct, frozen=True, kw_only=True):
    """Made by the composition root for the workflow."""

    stop: Stop
    reporter: Reporter
    channel: SignedChannel | None
    """For signed reads; None without a gateway."""
    state: StateDirectory
    recovered: Recovered
    child_env: ChildEnv
    network: Network
    confinement: Confinement
    redaction: Redaction
    """Of all secrets, for reports."""
    ours: Redaction
    """Of those that no commit may hold; a test's fixed password is none."""
    budget: Budget
    script_digest: str


class _AgentWork(msgspec.Struct, frozen=True, kw_only=True):
    """The work of an agent that ended: now, in an earlier start, or in an earlier attempt."""

    clone: Clone
    """At the commit that the patch applies to."""
    patch: Patch
    kept: KeptPatch
    is_whole: bool
    """False: a person must look at the agent's end, or at what was excluded."""


class Workflow:
    def __init__(self, configuration: Configuration, services: Services) -> None:
        self._configuration = configuration
        self._services = services
        self._state = services.state
        self._reporter = services.reporter
        self._runner = Runner(services.stop, services.confinement, afterwards=self._state.reopen)
        environ = services.child_env.base()
        self._git = Git(stop=services.stop, environ=environ)
        self._access = Access(configuration, stop=services.stop, environ=environ)
        self._branch = configuration.branch
        self._saved = SavedWork(
            self._git,
            self._reporter,
            self._state,
            redaction=services.redaction,
            ours=services.ours,
            before=services.recovered.patch,
        )
        self._log = Log(
            self._reporter.emit, services.redaction, offset=services.recovered.log_bytes
        )
        self._checkout_warnings: tuple[str, ...] = ()
        self.stage: Stage = "setup"

    def run(self) -> FinalEvent:
        """Do the task and return the final event; raises `Stopped`."""
        snapshot = self._configuration.snapshot
        started = Started(script_digest=self._services.script_digest, snapshot=snapshot)
        self._reporter.ask(started)
        try:
            return self._run()
        except Failure as failure:
            kept = self._saved.kept
            if kept is None or isinstance(failure, RepositoryRejected):
                return self.failed(failure)
            if _is_temporary(failure):
                return self.failed(Failure(failure.code, failure.message, retryable=True))
            return self._unusable(kept.summary, failure.message)
        finally:
            self._log.flush()

    def failed(self, failure: Failure) -> FinalEvent:
        """The final event of an attempt that ends in this stage."""
        return final_event.failed(
            self.stage,
            failure,
            log_tail=self._log.tail,
            warnings=self._warnings(self._saved.kept),
            resumable=failure.retryable and self._saved.is_resumable,
        )

    def rescue(self, *, seconds: float) -> None:
        """Save the work of an agent that was interrupted."""
        self._saved.rescue(seconds=seconds)

    def recover(self) -> None:
        """Save the work of an earlier start."""
        self.stage = self._services.recovered.stage
        self._saved.recover_after_death()

    def after_death(self, how: str) -> FinalEvent:
        """Save the work of an attempt whose runner died, and return its final event."""
        self.recover()
        return self.failed(Failure("runner_died", f"the runner {how}", retryable=True))

    def _run(self) -> FinalEvent:
        self._check_sandbox()
        repository = self._access.repository()
        self._enter("clone", f"Cloning {repository.url}")
        earlier = self._earlier_patch()
        prompt = self._configuration.prompt if earlier else self._prompt()
        self._choose_branch(repository, begins=earlier is None)
        remote = self._access.remote(repository)
        publisher = self._publisher(repository, remote, prompt)
        origin = self._state.workdir("origin")
        clone = remote.clone_or_commit(origin, earlier.base_sha if earlier else None)
        pushed = publisher.find_pushed(clone, self._services.recovered.push)
        if pushed is not None:
            return self._propose(publisher, pushed)
        if earlier is not None:
            work: _AgentWork | FinalEvent = self._reapply(earlier, remote, clone)
        else:
            work = self._save(self._run_agent(prompt, self._checkout(repository, clone)), clone)
        validated = self._validate(work) if isinstance(work, _AgentWork) else work
        if isinstance(validated, FinalEvent):
            return validated
        return self._publish(remote, publisher, validated)

    def _check_sandbox(self) -> None:
        self._enter("setup", "Checking the task")
        for problem in (*self._services.network.problems, *filter(None, [open_sockets()])):
            self._log.write(f"{problem}\n")
        if self._services.confinement.warning:
            self._enter("setup", self._services.confinement.warning)

    def _earlier_patch(self) -> KeptPatch | None:
        """The whole patch of an agent that ended in an earlier start or an earlier attempt."""
        is_pushed = self._services.recovered.push is not None
        kept = self._saved.recover(reads_disk=not is_pushed)
        self._state.clear()
        url, channel = self._configuration.resume_url, self._services.channel
        if kept is not None or url is None or channel is None or is_pushed:
            return kept
        return self._saved.adopt(fetch_patch(channel, url, self._services.stop.sleep))

    def _prompt(self) -> str:
        url = self._configuration.prompt_url
        if url is None:
            return self._configuration.prompt
        return fetch_prompt(self._services.channel, url, self._services.stop.sleep)

    def _choose_branch(self, repository: Repository, *, begins: bool) -> None:
        wanted = self._configuration.branch
        self._branch = self._access.free_branch(repository, begins=begins)
        if self._branch != wanted:
            self._log.write(f"The branch is {self._branch}: another is in the way of {wanted}\n")

    def _publisher(self, repository: Repository, remote: Remote, prompt: str) -> Publisher:
        configuration, services = self._configuration, self._services
        client, reason = github.connect(
            configuration,
            self._access,
            repository,
            network=services.network,
            stop=services.stop,
            budget=services.budget,
        )
        return Publisher(
            task_id=configuration.connection.task_id,
            attempt=configuration.connection.attempt,
            branch=self._branch,
            title=title(configuration.title, prompt),
            author=configuration.author,
            git=self._git,
            remote=remote,
            github=client,
            no_github=f"The branch is pushed; there is no pull request: {reason}.",
            reporter=self._reporter,
            redact=services.redaction.text,
        )

    def _reapply(self, kept: KeptPatch, remote: Remote, clone: Clone) -> _AgentWork:
        self._enter("patch", "Taking up what an earlier agent did")
        workdir = self._state.workdir("resumed")
        clone, patch = resume.reapply(self._git, remote, clone, kept, workdir)
        return _AgentWork(clone=clone, patch=patch, kept=kept, is_whole=resume.is_whole(kept))

    def _checkout(self, repository: Repository, clone: Clone) -> Path:
        """Make the agent's checkout, submodules included, and put it on record."""
        directory = self._state.workdir("agent") / "checkout"
        checkout = submodules.AgentCheckout(self._git, self._access, directory)
        checkout.make(repository, clone)
        self._checkout_warnings = tuple(checkout.warnings)
        theirs = self._git.at(directory)
        reference = f"refs/heads/{self._branch}"
        theirs("update-ref", reference, clone.base_sha)
        theirs("symbolic-ref", "HEAD", reference)
        self._saved.begin(tuple(checkout.states))
        return directory

    def _run_agent(self, prompt: str, checkout: Path) -> AgentResult:
        self._enter("agent", "The agent begins")
        choice, services = self._configuration.agent, self._services
        context = EngineContext(
            stop=services.stop,
            runner=self._runner,
            environ=self._command_env(checkout.parent),
            budget=services.budget,
            log=self._log,
            meter=Meter(self._reporter.emit, services.recovered.usage),
            on_turn=self._on_turn,
            trajectory=self._state.path / "trajectory.json",
            network=services.network,
        )
        try:
            return make_engine(choice, self._configuration.model, context).work(prompt, checkout)
        except Stopped:
            raise
        except Failure as failure:
            return AgentResult(summary="", failure=failure)
        except Exception as exc:  # noqa: BLE001 - foreign code: the work so far goes on
            traceback.print_exc()
            unforeseen = Failure("internal", f"{type(exc).__name__}: {exc}", retryable=True)
            return AgentResult(summary="", failure=unforeseen)

    def _on_turn(self, turn: int) -> None:
        self._log.flush()
        self._services.stop.check()
        self._enter("agent", f"turn {turn} of {self._configuration.agent.max_turns}")

    def _save(self, result: AgentResult, clone: Clone) -> _AgentWork | FinalEvent:
        """Make and report the patch; the final event if nothing of it can go out."""
        finished = self._saved.finish()
        self._enter("patch", "Reading what changed")
        try:
            patch = self._saved.make(finished)
        except RepositoryRejected as rejected:
            return self._unusable(result.summary, rejected.message)
        failure, warnings = result.failure, self._checkout_warnings
        if failure is not None:
            unfinished = f"The agent did not finish ({failure.code}): {failure.message}."
            warnings = (unfinished, *warnings)
        kept = self._saved.save(patch, summary=result.summary, warnings=warnings)
        if not patch.main.text:
            return self._without_changes(result, kept)
        if patch.main.refusal:
            return self._unusable(result.summary, patch.main.refusal)
        is_whole = patch.is_whole and failure is None
        return _AgentWork(clone=clone, patch=patch.main, kept=kept, is_whole=is_whole)

    def _without_changes(self, result: AgentResult, kept: KeptPatch) -> FinalEvent:
        if result.failure is not None and not kept.text:
            self.stage = "agent"
            return self.failed(result.failure)
        if len(kept.warnings) > len(self._checkout_warnings):
            return self._unusable(result.summary, "nothing of what the agent did can go out")
        reason = "the agent said that it was done, but changed nothing"
        return self._unusable(result.summary, reason)

    def _validate(self, work: _AgentWork) -> Work | FinalEvent:
        """Apply the patch in a clean checkout and run the checks there."""
        workdir = self._state.workdir("clean")
        summary, warnings = work.kept.summary, work.kept.warnings
        try:
            applied = clean_checkout.apply(self._git, work.clone, work.patch, workdir / "ours")
        except Failure as failure:
            return self._unusable(summary, failure.message)
        self._enter("validate", "Validating in a clean checkout")
        receipts: list[Receipt] = []
        note = ""
        try:
            self._run_checks(work.clone, applied, workdir, receipts)
        except (Failure, OSError) as exc:
            note = f"Validation could not be done: {exc}."
        reviewed = review(summary, receipts, warnings=warnings, is_whole=work.is_whole)
        return Work(
            clone=work.clone,
            patch=work.patch,
            agent_summary=visible(summary),
            review=reviewed.with_note(note, is_complete=False) if note else reviewed,
            receipts=tuple(receipts),
        )

    def _run_checks(
        self, clone: Clone, applied: Applied, workdir: Path, receipts: list[Receipt]
    ) -> None:
        def on_receipt(receipt: Receipt) -> None:
            receipts.append(receipt)
            self._log.write(f"$ {receipt.command}\n{receipt.output_tail}[{receipt.status}]\n")
            self._log.flush()
            self._enter("validate", f"{receipt.command}: {receipt.status.replace('_', ' ')}")

        clean_checkout.fill(self._git, clone, applied, workdir / "checkout")
        submodules.fill(self._git, self._saved.states, workdir, workdir / "checkout")
        Validation(
            runner=self._runner,
            checkout=workdir / "checkout",
            environ=self._command_env(workdir),
            budget=self._services.budget,
            on_receipt=on_receipt,
        ).run(self._configuration.checks)

    def _publish(self, remote: Remote, publisher: Publisher, work: Work) -> FinalEvent:
        self.stage = "push"
        workdir = self._state.workdir("push")
        reviewed = work.review
        try:
            note = base_moved(remote, work.clone, workdir / "base")
            if note:
                reviewed = reviewed.with_note(note, is_complete=False)
            work = msgspec.structs.replace(work, review=reviewed)
            pushed = publisher.push(workdir / "push", work)
        except RepositoryRejected:
            raise
        except Failure as failure:
            if _is_temporary(failure):
                raise
            note = f"The branch could not be pushed ({failure.code}): {failure.message}."
            return self._result(reviewed.with_note(note, is_complete=False), work.receipts)
        return self._propose(publisher, pushed)

    def _propose(self, publisher: Publisher, pushed: PushRequest) -> FinalEvent:
        self.stage = "pr"
        reviewed, pr_url = publisher.propose(pushed)
        return self._result(
            reviewed, pushed.validation, commit_sha=pushed.commit_sha, pr_url=pr_url
        )

    def _unusable(self, agent_summary: str, reason: str) -> FinalEvent:
        warnings = self._saved.kept.warnings if self._saved.kept else ()
        return self._result(unusable(agent_summary, reason, warnings=warnings), ())

    def _result(
        self,
        reviewed: Review,
        receipts: tuple[Receipt, ...],
        *,
        commit_sha: str | None = None,
        pr_url: str | None = None,
    ) -> FinalEvent:
        kept = self._saved.kept or self._services.recovered.patch
        return final_event.result(
            self._branch,
            reviewed,
            receipts,
            warnings=self._warnings(kept),
            patch=kept.text if kept else None,
            commit_sha=commit_sha,
            pr_url=pr_url,
        )

    def _warnings(self, kept: KeptPatch | None) -> tuple[str, ...]:
        unconfined = self._services.confinement.warning
        return (*(kept.warnings if kept else ()), *([unconfined] if unconfined else []))

    def _command_env(self, workdir: Path) -> dict[str, str]:
        home, temporary = workdir / "home", workdir / "tmp"
        home.mkdir()
        temporary.mkdir()
        environ = self._services.child_env.command(home=home, temporary=temporary)
        return virtual_environment.enter(self._runner, environ, home)

    def _enter(self, stage: Stage, message: str) -> None:
        self.stage = stage
        self._reporter.emit(Progress(stage=stage, message=first_of(message, 2_000)))


def _is_temporary(failure: Failure) -> bool:
    """True if another attempt may publish work that is kept; a branch that somebody else wrote to
    needs a person."""
    return failure.code in TEMPORARY or (failure.retryable and failure.code != "branch_moved")
