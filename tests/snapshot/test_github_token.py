"""The token of a GitHub App is renewed before its end, and where it is refused."""

from datetime import UTC, datetime, timedelta

import pytest

from snapshot.runner.failure import Failure
from snapshot.runner.github_token import PAUSE_SECONDS, SPARE_SECONDS, GitHubToken, RenewedToken
from snapshot.runner.reporting.redaction import REDACTED, Redaction
from tests.snapshot.repositories import FIX
from tests.snapshot.sandbox import Sandbox

NEW = "ghs_renewed_token"
END = 1_790_003_600.0


class Renewals:
    """A token whose clock is moved by hand."""

    def __init__(self) -> None:
        self.now = END - SPARE_SECONDS
        self.is_away = False
        self.tries = 0
        self.redaction = Redaction([])
        self.token = GitHubToken("ghs_first_token", expires_at=END, clock=lambda: self.now)
        self.token.connect(self.fetch, self.redaction.add)

    def fetch(self) -> RenewedToken:
        self.tries += 1
        if self.is_away:
            raise Failure("github_token_refused", "HTTP 404")
        ends = datetime.fromtimestamp(self.now, UTC) + timedelta(hours=1)
        return RenewedToken(token=NEW, expires_at=ends)


@pytest.fixture
def renewals() -> Renewals:
    return Renewals()


def test_it_is_renewed_ten_minutes_before_its_end_and_known_to_redaction(
    renewals: Renewals,
) -> None:
    assert renewals.token.current() == "ghs_first_token"
    renewals.now += 1
    assert renewals.token.current() == NEW
    assert renewals.token.current() == NEW
    assert renewals.tries == 1
    assert renewals.redaction.text(f"with {NEW}") == f"with {REDACTED}"
    assert NEW not in repr(renewals.token)


def test_one_that_cannot_be_renewed_goes_on_and_is_not_asked_for_at_each_use(
    renewals: Renewals,
) -> None:
    renewals.is_away = True
    renewals.now += 1
    assert renewals.token.current() == renewals.token.current() == "ghs_first_token"
    assert renewals.tries == 1
    renewals.is_away = False
    renewals.now += PAUSE_SECONDS
    assert renewals.token.current() == NEW


def test_a_token_without_an_end_is_never_renewed(renewals: Renewals) -> None:
    token = GitHubToken("ghp_of_a_person")
    token.connect(renewals.fetch, renewals.redaction.add)
    assert not token.renew()
    assert (token.current(), renewals.tries) == ("ghp_of_a_person", 0)


@pytest.mark.parametrize("minutes", [5, 50], ids=["it ends soon", "it is refused"])
def test_a_pull_request_is_opened_with_the_new_token_which_no_command_sees(
    sandbox: Sandbox, minutes: int
) -> None:
    sandbox.github.token = sandbox.gateway.github_token = NEW
    ends = datetime.now(UTC) + timedelta(minutes=minutes)
    sandbox.environ["SLIPGATE_GITHUB_TOKEN_EXPIRES_AT"] = ends.isoformat(timespec="milliseconds")
    sandbox.agent_is(f"env > {sandbox.shared}/env; {FIX}")
    assert sandbox.run() == 0, sandbox.printed()
    assert sandbox.gateway.last.data["prUrl"] == sandbox.github.pulls[0]["html_url"]
    (asked,) = [each for each in sandbox.gateway.requests if "github-token" in each.target]
    assert asked.target == "/v1/agent/github-token?taskId=task_1&attempt=1"
    seen = (sandbox.shared / "env").read_text()
    assert "ghs_" not in seen
    assert "EXPIRES_AT" not in seen
