"""git's only credential helper: the GitHub token, for one https host, never in a URL or argv."""

import shlex
from pathlib import Path
from typing import Final

import msgspec

from ..github_token import GitHubToken

SCRIPT: Final = Path(__file__).with_name("credential-helper.sh")


class Credentials(msgspec.Struct, frozen=True, kw_only=True):
    host: str
    token: GitHubToken

    @property
    def config(self) -> str:
        """git runs the helper through a shell, so its path is quoted."""
        return f"credential.https://{self.host}.helper=!sh {shlex.quote(str(SCRIPT))}"

    @property
    def options(self) -> tuple[str, ...]:
        """The token is also for a submodule that is named over ssh on the same host."""
        ssh = (f"git@{self.host}:", f"ssh://git@{self.host}/")
        return (self.config, *(f"url.https://{self.host}/.insteadOf={start}" for start in ssh))

    @property
    def environ(self) -> dict[str, str]:
        """The variables of the helper."""
        return {"SLIPGATE_GIT_HOST": self.host, "SLIPGATE_GIT_PASSWORD": self.token.current()}
