"""The tools that the steps of one attempt share, and the stage that the attempt is in."""

from pathlib import Path

from ..agent import tool_homes, virtual_environment
from ..agent.command import Runner
from ..configuration import Configuration
from ..publication.thread import Thread
from ..reporting.events import Progress, Stage
from ..reporting.log import Log
from ..repository.access import Access
from ..repository.git import Git
from ..repository.remote import Clone
from ..repository.submodules import Clones
from ..saved_work import SavedWork
from ..services import Services
from ..state_directory import HOME, TEMPORARY
from ..truncation import first_of


class Unusable(Exception):
    """The agent's work can neither be validated nor pushed: a person must look."""

    def __init__(self, agent_summary: str, reason: str) -> None:
        super().__init__(reason)
        self.agent_summary = agent_summary
        self.reason = reason


class StepContext:
    def __init__(self, configuration: Configuration, services: Services) -> None:
        self.configuration = configuration
        self.services = services
        self.state = services.state
        self.reporter = services.reporter
        self.runner = Runner(services.stop, services.confinement, afterwards=self.state.reopen)
        environ = services.child_env.base()
        self.git = Git(stop=services.stop, environ=environ)
        self.access = Access(configuration, stop=services.stop, environ=environ)
        self.saved = SavedWork(
            self.git,
            self.reporter,
            self.state,
            redaction=services.redaction,
            ours=services.ours,
            before=services.recovered.patch,
        )
        offset = services.recovered.log_bytes
        self.log = Log(self.reporter.emit, services.redaction, offset=offset)
        self.branch = configuration.branch
        """Another than the wanted one where that one's name is taken."""
        self.continues = False
        """The branch is an earlier task's, and is gone on with."""
        self.declaring: Clone | None = None
        """The commit whose files declare the checks; None: the one that the work begins from."""
        self.clones = Clones(self.git, self.access)
        """Of the repository and its submodules, once the commit is known that work begins from."""
        self.thread: Thread | None = None
        """Of the pull request that is gone on with."""
        self.stage: Stage = "setup"
        self._has_python = True
        """Until a Python environment could not be made: no later one can be."""

    def enter(self, stage: Stage, message: str) -> None:
        self.stage = stage
        self.reporter.emit(Progress(stage=stage, message=first_of(message, 2_000)))

    def command_env(self, workdir: Path) -> dict[str, str]:
        """The environ of commands, with a home and a temporary folder in `workdir`."""
        home, temporary = workdir / HOME, workdir / TEMPORARY
        home.mkdir()
        temporary.mkdir()
        environ = self.services.child_env.command(home=home, temporary=temporary)
        if self._has_python:
            environ = virtual_environment.enter(self.runner, environ, home)
            self._has_python = virtual_environment.NAME in environ
        return tool_homes.enter(environ)
