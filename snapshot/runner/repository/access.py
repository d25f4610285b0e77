"""The remotes of a task, and the credentials for each.

The GitHub token is for the host behind the API address alone: a task can name any repository, and
nobody's token is sent to an address that somebody else chose.
"""

import re
from collections.abc import Mapping
from typing import Final, NamedTuple

from ..configuration import Configuration
from ..failure import RepositoryRejected
from ..network.hosts import git_host, without_port
from ..stop import Stop
from .address import Repository, check_branch, parse
from .branches import list_refs
from .credentials import Credentials
from .git import Git
from .remote import Remote

_UNPROTECTED: Final = re.compile(r"\A(?:http|git)://", re.IGNORECASE)


class OurBranch(NamedTuple):
    name: str
    is_there: bool
    """Its commits may be of an earlier start, or of anybody else."""
    continues: bool
    """The task goes on with it."""


class Access:
    def __init__(
        self, configuration: Configuration, *, stop: Stop, environ: Mapping[str, str]
    ) -> None:
        self._configuration = configuration
        self._stop = stop
        self._environ = environ
        self._git_host = git_host(configuration.github_api_url)

    def repository(self) -> Repository:
        """The task's repository; raises `RepositoryRejected` if it or a branch breaks a rule."""
        configuration = self._configuration
        git = Git(stop=self._stop, environ=self._environ)
        check_branch(git, configuration.branch, "BRANCH_NAME")
        if configuration.base_branch is not None:
            check_branch(git, configuration.base_branch, "BASE_BRANCH")
        return self._reachable(parse(configuration.repository_url))

    def submodule(self, url: str) -> Repository:
        """A submodule's repository; one in a file of this host is only for another such one.

        Old addresses without protection are those of https on the same host.
        """
        repository = parse(_UNPROTECTED.sub("https://", url))
        is_local = parse(self._configuration.repository_url).scheme == "file"
        if repository.scheme == "file" and not is_local:
            raise RepositoryRejected("repo_url_refused", "its address is a file of this host")
        return self._reachable(repository)

    def remote(self, repository: Repository, *, is_submodule: bool = False) -> Remote:
        """A submodule's begins from its own default branch."""
        branch = None if is_submodule else self._configuration.base_branch
        return Remote(self._git(repository), repository, branch)

    def choose_branch(self, repository: Repository, *, begins: bool) -> OurBranch:
        """Our branch on the remote.

        Work that only begins needs a base branch there too. Raises `RepositoryRejected` if there
        is no branch to take.
        """
        configuration = self._configuration
        refs = list_refs(self._git(repository), repository)
        if begins:
            refs.check_base(configuration.base_branch)
        branch, continuation = configuration.branch, configuration.continuation
        if continuation is not None and refs.has_branch(branch):
            return OurBranch(name=branch, is_there=True, continues=True)
        if continuation is not None and continuation.has_branch:
            message = f"the branch {branch!r} is not there any more: nothing can go on with it"
            raise RepositoryRejected("continued_branch_missing", message)
        name = refs.free_name(branch, configuration.connection.task_id)
        return OurBranch(name=name, is_there=refs.has_branch(name), continues=False)

    def has_token_for(self, repository: Repository) -> bool:
        host = without_port(self._git_host) if repository.scheme == "ssh" else self._git_host
        is_theirs = repository.scheme != "file" and repository.host == host
        return is_theirs and self._configuration.github_token is not None

    def _git(self, repository: Repository) -> Git:
        """git for the repository's transport and no other."""
        return Git(
            stop=self._stop,
            environ=self._environ,
            protocol=repository.scheme,
            credentials=self._credentials(repository),
        )

    def _credentials(self, repository: Repository) -> Credentials | None:
        token = self._configuration.github_token
        if token is None or repository.scheme != "https" or not self.has_token_for(repository):
            return None
        return Credentials(host=repository.host, token=token)

    def _reachable(self, repository: Repository) -> Repository:
        """Over https where a token opens it."""
        if repository.scheme == "ssh" and self.has_token_for(repository):
            return repository.over_https(self._git_host)
        return repository
