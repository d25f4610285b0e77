"""The order of one attempt: clone, agent, patch, clean checkout, validate, push, propose."""

import traceback
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from . import clean_checkout, patch, prompt, virtual_environment
from .access import Access
from .budget import Budget
from .channel import SignedChannel
from .command import Runner
from .configuration import Configuration
from .cutting import first_of
from .engine.choose import Workplace, engine
from .engine.report import Report
from .git import Git
from .landlock import Confinement
from .last_word import LastWord, failed
from .log import Log
from .meter import Meter
from .network import Network
from .patch import Patch
from .publication import Name, Publication, Work
from .recovery import Recovered
from .redaction import Redaction
from .remote import Clone, Remote
from .reporter import Reporter
from .repository import Refused, Repository
from .review import review, unusable
from .state_directory import StateDirectory
from .stop import Stop, Stopped
from .surroundings import Surroundings
from .trouble import Trouble
from .validation import Validation
from .visible import title, visible
from .words import Progress, PushAsked, Receipt, Stage, Started, TerminalWord


@dataclass(frozen=True, kw_only=True, slots=True)
class Tools:
    """What the composition root hands the workflow."""

    stop: Stop
    reporter: Reporter
    channel: SignedChannel | None
    """For the prompt; None where there is no gateway to ask."""
    state: StateDirectory
    recovered: Recovered
    surroundings: Surroundings
    network: Network
    confinement: Confinement
    redaction: Redaction
    """Takes secrets out of what is said."""
    ours: Redaction
    """Knows the secrets that no commit may hold; a test's fixed password is none."""
    budget: Budget
    script_digest: str


class Workflow:
    """Runs the steps; each one is told before it begins."""

    def __init__(self, configuration: Configuration, tools: Tools) -> None:
        self._configuration = configuration
        self._tools = tools
        self._reporter = tools.reporter
        self._runner = Runner(tools.stop, tools.confinement)
        environ = tools.surroundings.base()
        self._git = Git(stop=tools.stop, environ=environ)
        self._access = Access(
            configuration,
            stop=tools.stop,
            environ=environ,
            network=tools.network,
            budget=tools.budget,
        )
        self._branch = configuration.branch
        self._last_word = LastWord(tools.reporter, self._branch)
        self.log = Log(tools.reporter.say, tools.redaction, offset=tools.recovered.log_bytes)
        self.stage: Stage = "setup"

    def run(self) -> TerminalWord:
        """Do the task and return the attempt's last word.

        Raises:
            Stopped: cancelled, fenced, or the sandbox is being stopped.
        """
        self._tools.state.clear()
        started = Started(
            script_digest=self._tools.script_digest, snapshot=self._configuration.snapshot
        )
        self._reporter.ask(started)
        try:
            return self._work()
        except Trouble as trouble:
            return failed(self.stage, trouble, log_tail=self.log.tail)
        finally:
            self.log.flush()

    def _work(self) -> TerminalWord:
        self._enter("setup", "Checking the task")
        for problem in self._tools.network.problems:
            self.log.write(f"{problem}\n")
        if self._tools.confinement.warning:
            self._enter("setup", self._tools.confinement.warning)
        repository = self._access.repository()
        task = self._prompt()
        self._enter("clone", f"Cloning {repository.url}")
        self._branch = self._access.free_branch(repository)
        if self._branch != self._configuration.branch:
            wanted = self._configuration.branch
            self.log.write(f"The branch is {self._branch}: another is in the way of {wanted}\n")
        self._last_word = LastWord(self._reporter, self._branch)
        remote = self._access.remote(repository)
        publication = self._publication(repository, remote, task)
        room = self._tools.state.room("agent")
        checkout = remote.clone(room / "checkout", with_files=True)
        resumed = self._look_for_branch(remote, publication, checkout)
        if resumed is not None:
            return self._finish(publication, resumed, checkout)
        self._git.at(checkout.directory)("switch", "--quiet", "-c", self._branch)
        report = self._agent(task, room)
        return self._judge(report, remote, publication, checkout)

    def _judge(
        self, report: Report, remote: Remote, publication: Publication, checkout: Clone
    ) -> TerminalWord:
        self._enter("patch", "Reading what changed")
        room = self._tools.state.room("clean")
        clean = remote.clone(room / "checkout", with_files=False)
        try:
            made = self._patch(clean, checkout)
        except Refused as refused:
            return self._last_word.result(unusable(report.summary, refused.message), ())
        if made is None:
            return self._without_changes(report)
        try:
            clean_checkout.apply(self._git, clean, made)
        except Trouble as trouble:
            seen = unusable(report.summary, trouble.message)
            return self._last_word.result(seen, (), patch=made.text)
        clean_checkout.fill(self._git, clean)
        receipts = self._validate(room)
        work = Work(
            patch=made,
            base_branch=checkout.base_branch,
            words=visible(report.summary),
            review=review(report.summary, report.trouble, receipts),
            receipts=receipts,
        )
        return self._publish(publication, work)

    def _prompt(self) -> str:
        url, channel = self._configuration.prompt_url, self._tools.channel
        if url is None:
            return self._configuration.prompt
        if channel is None:
            raise Trouble("prompt_unavailable", "the prompt's rest needs a signing secret")
        return prompt.fetch(channel, url, sleep=self._tools.stop.sleep)

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
        self, remote: Remote, publication: Publication, checkout: Clone
    ) -> PushAsked | None:
        """What an earlier start of this attempt has pushed already, if it did.

        Raises:
            Trouble: before a model is paid for work that cannot go out.
        """
        self._access.check_base(checkout.base_branch, self._branch)
        found = remote.find(checkout, self._branch)
        publication.may_write(found)
        pushed = self._tools.recovered.push
        if found is not None and pushed is not None and found.sha == pushed.commit_sha:
            return pushed
        remote.check_push(checkout, self._branch)
        publication.check_permission()
        return None

    def _agent(self, task: str, room: Path) -> Report:
        self._enter("agent", "The agent begins")
        choice = self._configuration.agent
        place = Workplace(
            stop=self._tools.stop,
            runner=self._runner,
            environ=self._room_environ(room),
            budget=self._tools.budget,
            log=self.log,
            meter=Meter(self._reporter.say, self._tools.recovered.usage),
            on_turn=self._on_turn(choice.max_turns),
            trajectory=self._tools.state.path / "trajectory.json",
            network=self._tools.network,
        )
        try:
            return engine(choice, self._configuration.model, place).work(task, room / "checkout")
        except Stopped:
            raise
        except Trouble as trouble:
            return Report(summary="", trouble=trouble)
        except Exception as exc:  # noqa: BLE001 - foreign code: what it has done so far goes on
            traceback.print_exc()
            unforeseen = Trouble("internal", f"{type(exc).__name__}: {exc}", retryable=True)
            return Report(summary="", trouble=unforeseen)

    def _on_turn(self, max_turns: int) -> Callable[[int], None]:
        def on_turn(turn: int) -> None:
            self.log.flush()
            self._tools.stop.check()
            self._enter("agent", f"turn {turn} of {max_turns}")

        return on_turn

    def _patch(self, clean: Clone, checkout: Clone) -> Patch | None:
        made = patch.make(self._git, clean, checkout.directory, checkout.base_sha)
        if made is not None and self._tools.ours.is_in(made.added):
            message = "the patch is refused: it holds a secret of the sandbox"
            raise Refused("patch_refused", message)
        return made

    def _without_changes(self, report: Report) -> TerminalWord:
        if report.trouble is not None:
            self.stage = "agent"
            return failed(self.stage, report.trouble, log_tail=self.log.tail)
        seen = unusable(report.summary, "the agent said that it was done, but changed nothing")
        return self._last_word.result(seen, ())

    def _validate(self, room: Path) -> tuple[Receipt, ...]:
        self._enter("validate", "Validating in a clean checkout")
        validation = Validation(
            runner=self._runner,
            room=room,
            environ=self._room_environ(room),
            budget=self._tools.budget,
            on_receipt=self._on_receipt,
        )
        return validation.run(self._configuration.checks)

    def _on_receipt(self, receipt: Receipt) -> None:
        self.log.write(f"$ {receipt.command}\n{receipt.output_tail}[{receipt.status}]\n")
        self.log.flush()
        self._enter("validate", f"{receipt.command}: {receipt.status.replace('_', ' ')}")

    def _publish(self, publication: Publication, work: Work) -> TerminalWord:
        self.stage = "push"
        try:
            pushed = publication.push(self._tools.state.room("push"), work)
        except Refused:
            raise
        except Trouble as trouble:
            note = f"The branch could not be pushed ({trouble.code}): {trouble.message}."
            unpushed = work.review.with_note(note, is_complete=False)
            return self._last_word.result(unpushed, work.receipts, patch=work.patch.text)
        return self._propose(publication, pushed, work.patch.text)

    def _finish(self, publication: Publication, pushed: PushAsked, checkout: Clone) -> TerminalWord:
        """Go on after the push of an earlier start."""
        base = self._git.at(checkout.directory).text("rev-parse", f"{pushed.commit_sha}^")
        text = patch.between(self._git, checkout, base, pushed.commit_sha)
        return self._propose(publication, pushed, text)

    def _propose(self, publication: Publication, pushed: PushAsked, text: str) -> TerminalWord:
        self.stage = "pr"
        seen, pr_url = publication.propose(pushed)
        return self._last_word.result(
            seen, pushed.validation, patch=text, commit_sha=pushed.commit_sha, pr_url=pr_url
        )

    def _room_environ(self, room: Path) -> dict[str, str]:
        home, temporary = room / "home", room / "tmp"
        home.mkdir()
        temporary.mkdir()
        environ = self._tools.surroundings.command(home=home, temporary=temporary)
        return virtual_environment.enter(self._runner, environ, home)

    def _enter(self, stage: Stage, message: str) -> None:
        self.stage = stage
        self._reporter.say(Progress(stage=stage, message=first_of(message, 2_000)))
