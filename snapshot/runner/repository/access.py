"""Which remote the task means, and with which of its credentials it may be spoken to.

The GitHub token is for the host behind the API address alone: a task can name any repository, and
nobody's token is sent to an address that somebody else chose.
"""

from collections.abc import Mapping

from ..budget import Budget
from ..configuration import Configuration
from ..network.client import Network
from ..network.hosts import git_host, is_private_way, without_port
from ..publication.pull_request import GitHub
from ..stop import Stop
from .address import Repository, RepositoryRejected, check_branch, parse
from .branches import free_name, list_refs
from .credentials import Credentials
from .git import Git
from .remote import Remote


class Access:
    """The names of one task, checked, and the clients for them."""

    def __init__(
        self,
        configuration: Configuration,
        *,
        stop: Stop,
        environ: Mapping[str, str],
        network: Network,
        budget: Budget,
    ) -> None:
        self._configuration = configuration
        self._stop = stop
        self._environ = environ
        self._network = network
        self._budget = budget
        self._git_host = git_host(configuration.github_api_url)

    def repository(self) -> Repository:
        """The repository and both branch names, held against the rules.

        Raises:
            RepositoryRejected: with the rule.
        """
        configuration = self._configuration
        git = Git(stop=self._stop, environ=self._environ)
        check_branch(git, configuration.branch, "BRANCH_NAME")
        if configuration.base_branch is not None:
            check_branch(git, configuration.base_branch, "BASE_BRANCH")
        return self._reachable(parse(configuration.repository_url))

    def submodule(self, url: str) -> Repository:
        """A repository that the task's own names; a file of this host is only for one of those.

        Raises:
            RepositoryRejected: with the rule.
        """
        repository = parse(url)
        is_local = parse(self._configuration.repository_url).scheme == "file"
        if repository.scheme == "file" and not is_local:
            raise RepositoryRejected("repo_url_refused", "its address is a file of this host")
        return self._reachable(repository)

    def check_base(self, base_branch: str, branch: str) -> None:
        """Our branch must not be the one we begin from.

        Raises:
            RepositoryRejected: `branch_name_refused`.
        """
        if branch == base_branch:
            message = f"BRANCH_NAME is refused: {base_branch} is the base branch"
            raise RepositoryRejected("branch_name_refused", message)

    def git(self, repository: Repository) -> Git:
        """git for the repository's transport and no other."""
        return Git(
            stop=self._stop,
            environ=self._environ,
            protocol=repository.scheme,
            credentials=self._credentials(repository),
        )

    def remote(self, repository: Repository, *, is_submodule: bool = False) -> Remote:
        """The repository itself; a submodule's begins from its own default branch."""
        branch = None if is_submodule else self._configuration.base_branch
        return Remote(self.git(repository), repository, branch)

    def free_branch(self, repository: Repository, *, begins: bool) -> str:
        """Our branch's name, once the remote was seen to allow it and, for work that only
        begins, a branch to begin from.

        Raises:
            RepositoryRejected: with the rule.
            Failure: `clone_failed`.
        """
        configuration = self._configuration
        found = list_refs(self.git(repository), repository)
        if begins:
            found.check_base(configuration.base_branch)
        return free_name(found, configuration.branch, configuration.connection.task_id)

    def github(self, repository: Repository) -> tuple[GitHub | None, str]:
        """The API for its pull requests, or None and why there is none."""
        configuration = self._configuration
        token, slug = configuration.github_token, repository.slug
        is_stand_in = repository.scheme == "file" and configuration.github_api_is_given
        if not is_private_way(configuration.github_api_url):
            return None, "GITHUB_API_URL is not https"
        if token is None:
            return None, "GITHUB_TOKEN is not set"
        if slug is None or not (is_stand_in or self._has_token_for(repository)):
            return None, "the repository is not on the GitHub that GITHUB_TOKEN is for"
        github = GitHub(
            api_url=configuration.github_api_url,
            slug=slug,
            token=token,
            network=self._network,
            sleep=self._stop.sleep,
            seconds_left=lambda: self._budget.seconds,
        )
        return github, ""

    def _reachable(self, repository: Repository) -> Repository:
        """Over https where a token opens it."""
        if repository.scheme == "ssh" and self._has_token_for(repository):
            return repository.over_https(self._git_host)
        return repository

    def _credentials(self, repository: Repository) -> Credentials | None:
        token = self._configuration.github_token
        if token is None or repository.scheme != "https" or not self._has_token_for(repository):
            return None
        return Credentials(host=repository.host, token=token)

    def _has_token_for(self, repository: Repository) -> bool:
        host = self._git_host
        if repository.scheme == "ssh":
            host = without_port(host)
        is_theirs = repository.scheme != "file" and repository.host == host
        return is_theirs and self._configuration.github_token is not None
