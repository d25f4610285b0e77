"""The order of one attempt: clone, agent, patch, clean checkout, validate, push, propose.

From the patch on each step can fail alone: what the agent did is then already kept.
"""

import threading
import traceback
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final

from .agent import virtual_environment
from .agent.child_env import ChildEnv
from .agent.command import Runner
from .agent.engine import EngineContext, engine
from .agent.landlock import Confinement, open_sockets
from .agent.meter import Meter
from .agent.report import AgentResult
from .budget import Budget
from .configuration import Configuration
from .failure import Failure
from .network.client import Network
from .publication.publisher import Name, Publication, Work
from .reporting import final_event
from .reporting.channel import SignedChannel
from .reporting.events import FinalEvent, Progress, PushRequest, Receipt, Stage, Started
from .reporting.fetch import fetch_patch, fetch_prompt
from .reporting.kept_patch import KeptPatch
from .reporting.log import Log
from .reporting.recovery import Recovered
from .reporting.redaction import Redaction
from .reporting.reporter import Reporter
from .reporting.review import Review, review, unfinished, unusable
from .repository import agents_work, base_branch, clean_checkout, resume, submodules
from .repository.access import Access
from .repository.address import Repository, RepositoryRejected
from .repository.agents_work import AgentsWork
from .repository.clean_checkout import Applied
from .repository.git import Git
from .repository.patch import Patch
from .repository.remote import Clone, Remote
from .saved_work import Keeping
from .state_directory import StateDirectory
from .stop import Reason, Stop, Stopped
from .text import title, visible
from .truncation import first_of
from .validation.run import Validation


@dataclass(frozen=True, kw_only=True, slots=True)
class Tools:
    """What the composition root hands the workflow."""

    stop: Stop
    reporter: Reporter
    channel: SignedChannel | None
    """For the prompt; None where there is no gateway to ask."""
    state: StateDirectory
    recovered: Recovered
    child_env: ChildEnv
    network: Network
    confinement: Confinement
    redaction: Redaction
    """Takes secrets out of what is said."""
    ours: Redaction
    """Knows the secrets that no commit may hold; a test's fixed password is none."""
    budget: Budget
    script_digest: str


@dataclass(frozen=True, kw_only=True, slots=True)
class _Done:
    """The agent's part, done: now, by an earlier start, or by an earlier attempt."""

    clone: Clone
    """At the commit that the patch applies to."""
    patch: Patch
    kept: KeptPatch
    is_whole: bool
    """Nobody has to look because of what the agent did or what was left out."""


DEATH_SECONDS: Final = 20.0
"""A sandbox whose runner died is looked at by nobody else for so long."""
AGAIN: Final = frozenset(
    {"clone_failed", "git_failed", "git_timed_out", "git_token_refused", "push_failed"}
)
"""What the remote may say while it is away. It was not always: the work came from it."""


class Workflow:
    """Runs the steps; each one is told before it begins."""

    def __init__(self, configuration: Configuration, tools: Tools) -> None:
        self._configuration = configuration
        self._tools = tools
        self._reporter = tools.reporter
        self._runner = Runner(tools.stop, tools.confinement, afterwards=tools.state.reopen)
        environ = tools.child_env.base()
        self._git = Git(stop=tools.stop, environ=environ)
        self._access = Access(
            configuration,
            stop=tools.stop,
            environ=environ,
            network=tools.network,
            budget=tools.budget,
        )
        self._branch = configuration.branch
        self._keeping = Keeping(
            tools.reporter,
            tools.state,
            redaction=tools.redaction,
            ours=tools.ours,
            before=tools.recovered.patch,
        )
        self._work: AgentsWork | None = None
        self._absent: tuple[str, ...] = ()
        """Sentences about submodules that could not be checked out."""
        self._kept: KeptPatch | None = None
        """The whole of an agent's work, told; later steps can no longer lose it."""
        self._is_resumable = False
        self.log = Log(tools.reporter.emit, tools.redaction, offset=tools.recovered.log_bytes)
        self.stage: Stage = "setup"

    def run(self) -> FinalEvent:
        """Do the task and return the attempt's last word.

        Raises:
            Stopped: cancelled, fenced, or the sandbox is being stopped.
        """
        started = Started(
            script_digest=self._tools.script_digest, snapshot=self._configuration.snapshot
        )
        self._reporter.ask(started)
        try:
            return self._attempt()
        except Failure as failure:
            if self._kept is None or isinstance(failure, RepositoryRejected):
                return self.failed(failure)
            if _may_pass(failure):
                return self.failed(Failure(failure.code, failure.message, retryable=True))
            return self._unusable(self._kept.summary, failure.message)
        finally:
            self.log.flush()

    def failed(self, failure: Failure) -> FinalEvent:
        """The last word of an attempt that ends in this stage."""
        return final_event.failed(
            self.stage,
            failure,
            log_tail=self.log.tail,
            warnings=self._warnings(self._kept),
            resumable=failure.retryable and self._is_resumable,
        )

    def rescue(self, *, seconds: float) -> None:
        """Keep what an agent that was stopped has done so far, if it is not kept."""
        if self._work is None or self._kept is not None:
            return
        stop = Stop()
        detail = "the time to keep the agent's work is over"
        timer = threading.Timer(seconds, stop.request, (Reason.TIME_OVER, detail))
        timer.daemon = True
        timer.start()
        try:
            made = self._keeping.make(replace(self._git, stop=stop), self._work)
        except (Failure, Stopped, OSError) as exc:
            print(f"slipgate: the agent's work cannot be kept: {exc}", flush=True)
            return
        finally:
            timer.cancel()
        self._keeping.keep(made, summary="", warnings=(), is_partial=not self._work.is_finished)

    def after_death(self, how: str) -> FinalEvent:
        """Keep what lies there of an attempt whose runner died; its last word."""
        recovered = self._tools.recovered
        self.stage = recovered.stage
        kept = recovered.patch
        if kept is not None and not kept.is_partial:
            self._kept, self._is_resumable = kept, bool(kept.text)
        else:
            self._work = agents_work.found(self._tools.state.path)
            self.rescue(seconds=DEATH_SECONDS)
        return self.failed(Failure("runner_died", f"the runner {how}", retryable=True))

    def _attempt(self) -> FinalEvent:
        self._enter("setup", "Checking the task")
        for problem in (*self._tools.network.problems, *filter(None, [open_sockets()])):
            self.log.write(f"{problem}\n")
        if self._tools.confinement.warning:
            self._enter("setup", self._tools.confinement.warning)
        repository = self._access.repository()
        self._enter("clone", f"Cloning {repository.url}")
        earlier = self._earlier_work()
        task = self._configuration.prompt if earlier else self._prompt()
        self._branch = self._access.free_branch(repository, begins=earlier is None)
        if self._branch != self._configuration.branch:
            wanted = self._configuration.branch
            self.log.write(f"The branch is {self._branch}: another is in the way of {wanted}\n")
        remote = self._access.remote(repository)
        publication = self._publication(repository, remote, task)
        clone = self._clone(remote, earlier)
        pushed = self._look_for_branch(remote, publication, clone)
        if pushed is not None:
            return self._propose(publication, pushed)
        if earlier is not None:
            return self._bring_out(remote, publication, self._taken_up(earlier, remote, clone))
        self._make_checkout(repository, clone)
        done = self._keep(self._agent(task), clone)
        return self._bring_out(remote, publication, done) if isinstance(done, _Done) else done

    def _clone(self, remote: Remote, earlier: KeptPatch | None) -> Clone:
        """The base branch; for earlier work whose branch is gone, the commit that it began from."""
        try:
            return remote.clone(self._tools.state.workdir("origin") / "main")
        except Failure as failure:
            if earlier is None or failure.code not in {"base_branch_missing", "empty_repository"}:
                raise
        return remote.clone_at(self._tools.state.workdir("origin") / "commit", earlier.base_sha)

    def _earlier_work(self) -> KeptPatch | None:
        """The patch of an agent that had ended, by an earlier start or an earlier attempt.

        The work of one that was interrupted is kept, and begun anew.
        """
        recovered = self._tools.recovered
        kept = recovered.patch
        lying = agents_work.found(self._tools.state.path)
        if recovered.push is None and (kept is None or kept.is_partial) and lying is not None:
            self._work = lying
            kept = self._lying(lying)
            self._work = None
        self._tools.state.clear()
        if kept is not None and not kept.is_partial and kept.text:
            self._kept, self._is_resumable = kept, True
            return kept
        url, channel = self._configuration.resume_url, self._tools.channel
        if url is None or channel is None or recovered.push is not None:
            return None
        kept = self._keeping.tell(fetch_patch(channel, url, self._tools.stop.sleep))
        self._kept, self._is_resumable = kept, True
        return kept

    def _lying(self, work: AgentsWork) -> KeptPatch | None:
        try:
            patch = self._keeping.make(self._git, work)
        except (Failure, OSError) as exc:
            print(f"slipgate: the work of an earlier start cannot be read: {exc}", flush=True)
            return None
        is_partial = not work.is_finished
        made = self._keeping.keep(patch, summary="", warnings=(), is_partial=is_partial)
        return made.kept

    def _prompt(self) -> str:
        url, channel = self._configuration.prompt_url, self._tools.channel
        if url is None:
            return self._configuration.prompt
        if channel is None:
            raise Failure("prompt_unavailable", "the prompt's rest needs a signing secret")
        return fetch_prompt(channel, url, self._tools.stop.sleep)

    def _publication(self, repository: Repository, remote: Remote, task: str) -> Publication:
        connection = self._configuration.connection
        github, reason = self._access.github(repository)
        return Publication(
            name=Name(
                task_id=connection.task_id,
                attempt=connection.attempt,
                branch=self._branch,
                title=title(self._configuration.title, task),
                author=self._configuration.author,
            ),
            git=self._git,
            remote=remote,
            github=github,
            no_github=f"The branch is pushed; there is no pull request: {reason}.",
            reporter=self._reporter,
            redact=self._tools.redaction.text,
        )

    def _look_for_branch(
        self, remote: Remote, publication: Publication, clone: Clone
    ) -> PushRequest | None:
        """What an earlier start of this attempt has pushed already, if it did.

        Raises:
            Failure: before a model is paid for work that cannot go out.
        """
        self._access.check_base(clone.base_branch, self._branch)
        found = remote.find(clone.directory, self._branch)
        publication.may_write(found)
        pushed = self._tools.recovered.push
        if found is not None and pushed is not None and found.sha == pushed.commit_sha:
            return pushed
        remote.check_push(clone, self._branch)
        publication.check_permission()
        return None

    def _make_checkout(self, repository: Repository, clone: Clone) -> None:
        """Make the agent's checkout, submodules included, and put it on record."""
        checkout = self._tools.state.workdir("agent") / "checkout"
        states, self._absent = submodules.begin(
            self._git, self._access, repository, clone, checkout
        )
        theirs = self._git.at(checkout)
        reference = f"refs/heads/{self._branch}"
        theirs("update-ref", reference, clone.base_sha)
        theirs("symbolic-ref", "HEAD", reference)
        self._work = AgentsWork(states=states)
        self._work.record(self._tools.state.path)

    def _agent(self, task: str) -> AgentResult:
        self._enter("agent", "The agent begins")
        assert self._work is not None, "its checkout was made"  # noqa: S101
        checkout = self._work.states[0].work_tree
        choice = self._configuration.agent
        place = EngineContext(
            stop=self._tools.stop,
            runner=self._runner,
            environ=self._workdir_environ(checkout.parent),
            budget=self._tools.budget,
            log=self.log,
            meter=Meter(self._reporter.emit, self._tools.recovered.usage),
            on_turn=self._on_turn(choice.max_turns),
            trajectory=self._tools.state.path / "trajectory.json",
            network=self._tools.network,
        )
        try:
            return engine(choice, self._configuration.model, place).work(task, checkout)
        except Stopped:
            raise
        except Failure as failure:
            return AgentResult(summary="", failure=failure)
        except Exception as exc:  # noqa: BLE001 - foreign code: what it has done so far goes on
            traceback.print_exc()
            unforeseen = Failure("internal", f"{type(exc).__name__}: {exc}", retryable=True)
            return AgentResult(summary="", failure=unforeseen)

    def _on_turn(self, max_turns: int) -> Callable[[int], None]:
        def on_turn(turn: int) -> None:
            self.log.flush()
            self._tools.stop.check()
            self._enter("agent", f"turn {turn} of {max_turns}")

        return on_turn

    def _keep(self, report: AgentResult, clone: Clone) -> _Done | FinalEvent:
        """Make the patch and tell it; the last word if nothing of it can go out."""
        assert self._work is not None, "its checkout was made"  # noqa: S101
        self._work = self._work.finished()
        self._work.record(self._tools.state.path)
        self._enter("patch", "Reading what changed")
        try:
            patch = self._keeping.make(self._git, self._work)
        except RepositoryRejected as rejected:
            return self._unusable(report.summary, rejected.message)
        failure = report.failure
        first = (unfinished(failure),) if failure else ()
        made = self._keeping.keep(
            patch, summary=report.summary, warnings=(*first, *self._absent), is_partial=False
        )
        self._kept = made.kept
        self._is_resumable = bool(patch.main.text) and not made.is_redacted
        if not patch.main.text:
            return self._without_changes(report, made.kept)
        if patch.main.refusal:
            return self._unusable(report.summary, patch.main.refusal)
        return _Done(
            clone=clone,
            patch=patch.main,
            kept=made.kept,
            is_whole=patch.is_whole and failure is None,
        )

    def _without_changes(self, report: AgentResult, kept: KeptPatch) -> FinalEvent:
        if report.failure is not None and not kept.text:
            self.stage = "agent"
            return self.failed(report.failure)
        if len(kept.warnings) > len(self._absent):
            return self._unusable(report.summary, "nothing of what the agent did can go out")
        reason = "the agent said that it was done, but changed nothing"
        return self._unusable(report.summary, reason)

    def _unusable(self, words: str, reason: str) -> FinalEvent:
        warnings = self._kept.warnings if self._kept else ()
        return self._result(unusable(words, reason, warnings=warnings), ())

    def _result(
        self,
        seen: Review,
        receipts: tuple[Receipt, ...],
        *,
        commit_sha: str | None = None,
        pr_url: str | None = None,
    ) -> FinalEvent:
        kept = self._kept or self._tools.recovered.patch
        return final_event.result(
            self._branch,
            seen,
            receipts,
            warnings=self._warnings(kept),
            patch=kept.text if kept else None,
            commit_sha=commit_sha,
            pr_url=pr_url,
        )

    def _warnings(self, kept: KeptPatch | None) -> tuple[str, ...]:
        """Sentences about the whole attempt for a person."""
        unconfined = self._tools.confinement.warning
        return (*(kept.warnings if kept else ()), *([unconfined] if unconfined else []))

    def _taken_up(self, kept: KeptPatch, remote: Remote, clone: Clone) -> _Done:
        """The work of an agent that had ended before, on the commit it began from.

        Raises:
            Failure: `patch_does_not_apply`.
        """
        self._enter("patch", "Taking up what an earlier agent did")
        workdir = self._tools.state.workdir("resumed")
        clone, patch = resume.taken_up(self._git, remote, clone, kept, workdir)
        return _Done(clone=clone, patch=patch, kept=kept, is_whole=resume.is_whole(kept))

    def _bring_out(self, remote: Remote, publication: Publication, done: _Done) -> FinalEvent:
        workdir = self._tools.state.workdir("clean")
        try:
            applied = clean_checkout.apply(self._git, done.clone, done.patch, workdir / "ours")
        except Failure as failure:
            return self._unusable(done.kept.summary, failure.message)
        receipts, note = self._validated(done.clone, applied, workdir)
        seen = review(
            done.kept.summary, receipts, warnings=done.kept.warnings, is_whole=done.is_whole
        )
        work = Work(
            clone=done.clone,
            patch=done.patch,
            words=visible(done.kept.summary),
            review=seen.with_note(note, is_complete=False) if note else seen,
            receipts=receipts,
        )
        return self._publish(remote, publication, work)

    def _validated(
        self, clone: Clone, applied: Applied, workdir: Path
    ) -> tuple[tuple[Receipt, ...], str]:
        """The receipts; if validation itself broke, those so far and a sentence about it."""
        self._enter("validate", "Validating in a clean checkout")
        receipts: list[Receipt] = []
        try:
            clean_checkout.fill(self._git, clone, applied, workdir / "checkout")
            inner = self._work.states if self._work else ()
            submodules.fill(self._git, inner, workdir, workdir / "checkout")
            self._validate(workdir, receipts)
        except (Failure, OSError) as exc:
            return tuple(receipts), f"Validation could not be done: {exc}."
        return tuple(receipts), ""

    def _validate(self, workdir: Path, receipts: list[Receipt]) -> None:
        def on_receipt(receipt: Receipt) -> None:
            receipts.append(receipt)
            self._on_receipt(receipt)

        validation = Validation(
            runner=self._runner,
            workdir=workdir,
            environ=self._workdir_environ(workdir),
            budget=self._tools.budget,
            on_receipt=on_receipt,
        )
        validation.run(self._configuration.checks)

    def _on_receipt(self, receipt: Receipt) -> None:
        self.log.write(f"$ {receipt.command}\n{receipt.output_tail}[{receipt.status}]\n")
        self.log.flush()
        self._enter("validate", f"{receipt.command}: {receipt.status.replace('_', ' ')}")

    def _publish(self, remote: Remote, publication: Publication, work: Work) -> FinalEvent:
        self.stage = "push"
        workdir = self._tools.state.workdir("push")
        try:
            note = base_branch.moved(remote, work.clone, workdir / "base")
            if note:
                work = replace(work, review=work.review.with_note(note, is_complete=False))
            pushed = publication.push(workdir / "push", work)
        except RepositoryRejected:
            raise
        except Failure as failure:
            if _may_pass(failure):
                raise
            note = f"The branch could not be pushed ({failure.code}): {failure.message}."
            return self._result(work.review.with_note(note, is_complete=False), work.receipts)
        return self._propose(publication, pushed)

    def _propose(self, publication: Publication, pushed: PushRequest) -> FinalEvent:
        self.stage = "pr"
        seen, pr_url = publication.propose(pushed)
        return self._result(seen, pushed.validation, commit_sha=pushed.commit_sha, pr_url=pr_url)

    def _workdir_environ(self, workdir: Path) -> dict[str, str]:
        home, temporary = workdir / "home", workdir / "tmp"
        home.mkdir()
        temporary.mkdir()
        environ = self._tools.child_env.command(home=home, temporary=temporary)
        return virtual_environment.enter(self._runner, environ, home)

    def _enter(self, stage: Stage, message: str) -> None:
        self.stage = stage
        self._reporter.emit(Progress(stage=stage, message=first_of(message, 2_000)))


def _may_pass(failure: Failure) -> bool:
    """Whether another attempt may bring out work that is kept; a branch that somebody else wrote to
    is a person's to look at."""
    return failure.code in AGAIN or (failure.retryable and failure.code != "branch_moved")
