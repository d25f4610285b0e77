"""Which remote the task means, and with which of its credentials it may be spoken to.

The GitHub token is for the host behind the API address alone: a task can name any repository, and
nobody's token is sent to an address that somebody else chose.
"""

from collections.abc import Mapping

from .configuration import Configuration
from .credentials import Credentials
from .git import Git
from .pull_request import GitHub, git_host
from .remote import Remote
from .repository import Refused, Repository, check_branch, parse
from .stop import Stop


class Access:
    """The names of one task, checked, and the clients for them."""

    def __init__(
        self, configuration: Configuration, *, stop: Stop, environ: Mapping[str, str]
    ) -> None:
        self._configuration = configuration
        self._stop = stop
        self._environ = environ

    def repository(self) -> Repository:
        """The repository and both branch names, held against the rules.

        Raises:
            Refused: with the rule.
        """
        configuration = self._configuration
        git = Git(stop=self._stop, environ=self._environ)
        check_branch(git, configuration.branch, "BRANCH_NAME")
        if configuration.base_branch is not None:
            check_branch(git, configuration.base_branch, "BASE_BRANCH")
        repository = parse(configuration.repository_url)
        if repository.scheme == "ssh" and self._has_token_for(repository):
            return repository.over_https()
        return repository

    def check_base(self, base_branch: str) -> None:
        """Our branch must not be the one we begin from.

        Raises:
            Refused: `branch_name_refused`.
        """
        if self._configuration.branch == base_branch:
            message = f"BRANCH_NAME is refused: {base_branch} is the base branch"
            raise Refused("branch_name_refused", message)

    def remote(self, repository: Repository) -> Remote:
        """git for the repository's transport and no other."""
        git = Git(
            stop=self._stop,
            environ=self._environ,
            protocol=repository.scheme,
            credentials=self._credentials(repository),
        )
        return Remote(git, repository, self._configuration.base_branch)

    def github(self, repository: Repository) -> tuple[GitHub | None, str]:
        """The API for its pull requests, or None and why there is none."""
        configuration = self._configuration
        token, slug = configuration.github_token, repository.slug
        is_stand_in = repository.scheme == "file" and configuration.github_api_is_given
        if token is None:
            return None, "GITHUB_TOKEN is not set"
        if slug is None or not (is_stand_in or self._has_token_for(repository)):
            return None, "the repository is not on the GitHub that GITHUB_TOKEN is for"
        api_url = configuration.github_api_url
        return GitHub(api_url=api_url, slug=slug, token=token, sleep=self._stop.sleep), ""

    def _credentials(self, repository: Repository) -> Credentials | None:
        token = self._configuration.github_token
        if token is None or repository.scheme != "https" or not self._has_token_for(repository):
            return None
        return Credentials(host=repository.host, token=token)

    def _has_token_for(self, repository: Repository) -> bool:
        is_theirs = repository.host == git_host(self._configuration.github_api_url)
        return is_theirs and self._configuration.github_token is not None
