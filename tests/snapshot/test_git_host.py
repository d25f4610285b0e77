"""The whole runner against a host of one's own: https, a private authority, a token, an API."""

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from snapshot.runner.repository.git import GitFailed
from snapshot.runner.repository.push_failure import is_passing, push_failure
from tests.loops.tls import Authority
from tests.snapshot.conftest import made
from tests.snapshot.git_host import BASIC, TOKEN, GitHost
from tests.snapshot.http_stub import Request, Response
from tests.snapshot.repositories import FIX, Bare, git
from tests.snapshot.sandbox import BRANCH, Sandbox

GH013 = "error: GH013: Repository rule violations found for refs/heads/x."
REPOSITORY = {"full_name": "acme/widgets", "owner": {"login": "acme"}}


@pytest.fixture
def authority(tmp_path: Path) -> Authority:
    """A private authority that nobody knows by itself."""
    return Authority(tmp_path / "authority")


@pytest.fixture
def host(remote: Bare, authority: Authority, tmp_path: Path) -> Iterator[GitHost]:
    """The remote, served over https."""
    host = GitHost(root=remote.path.parents[1], authority=authority)
    host.api = _api(host)
    yield host
    host.http.stop()


@pytest.fixture
def sandbox(remote: Bare, host: GitHost, authority: Authority, tmp_path: Path) -> Iterator[Sandbox]:
    """A sandbox whose repository is on that host."""
    sandbox = made(tmp_path, remote)
    bundle = tmp_path / "authority.pem"
    bundle.write_text(authority.text)
    (tmp_path / "nobody").mkdir()
    sandbox.environ |= {
        "TARGET_REPO": host.url("acme/widgets"),
        "GITHUB_API_URL": host.api_url,
        "SSL_CERT_FILE": str(bundle),
        # git would read all the well-known authorities too, at each of its six ways there.
        "GIT_SSL_CAPATH": str(tmp_path / "nobody"),
    }
    sandbox.agent_is(f"touch {tmp_path}/ran; {FIX}")
    yield sandbox
    sandbox.close()


def _api(
    host: GitHost, repository: dict[str, object] | None = None, name: str = "acme/widgets"
) -> Callable[[Request], Response]:
    """A repository under one name, with what is opened in it."""
    known = {**REPOSITORY, **(repository or {})}

    def answer(request: Request) -> Response:
        path = request.target.partition("?")[0].removeprefix("/api/v3")
        if request.headers.get("authorization") != f"Bearer {TOKEN}":
            return Response(status=401, content={"message": "Bad credentials"})
        if path == f"/repos/{name}":
            return Response(content=known)
        if path == f"/repos/{name}/pulls" and request.method == "POST":
            page = f"{host.http.url}/{known['full_name']}/pull/1"
            return Response(status=201, content={**request.json(), "html_url": page})
        return Response(status=404, content={"message": "Not Found"})

    return answer


def _error(sandbox: Sandbox) -> dict[str, str]:
    error = sandbox.gateway.last.data["error"]
    assert isinstance(error, dict), sandbox.printed()
    return error


def _hook(remote: Bare, script: str) -> None:
    hook = remote.path / "hooks" / "pre-receive"
    hook.parent.mkdir(exist_ok=True)
    hook.write_text(f"#!/bin/sh\n{script}\n")
    hook.chmod(0o755)


def test_a_task_ends_with_its_pull_request_behind_a_private_authority(
    sandbox: Sandbox, host: GitHost
) -> None:
    del sandbox.environ["GIT_SSL_CAPATH"]
    assert sandbox.run() == 0, sandbox.printed()
    last = sandbox.gateway.last
    assert (last.type, last.data["prUrl"]) == (
        "task.completed",
        host.url("acme/widgets/pull/1"),
    )
    assert BRANCH in sandbox.remote.branches()
    assert host.tokens() == {BASIC, f"Bearer {TOKEN}"}


@pytest.mark.parametrize("name", ["SSL_CERT_DIR", "REQUESTS_CA_BUNDLE"])
def test_the_authority_may_be_named_as_other_programs_do(
    sandbox: Sandbox, authority: Authority, tmp_path: Path, name: str
) -> None:
    value = sandbox.environ.pop("SSL_CERT_FILE")
    if name == "SSL_CERT_DIR":
        del sandbox.environ["GIT_SSL_CAPATH"]
        value = str(authority.directory(tmp_path / "hashed"))
    assert sandbox.run(**{name: value}) == 0, sandbox.printed()


def test_an_unknown_authority_is_reported_with_its_remedy(sandbox: Sandbox, tmp_path: Path) -> None:
    assert sandbox.run(SSL_CERT_FILE=str(tmp_path / "missing.pem")) == 1
    assert "SSL_CERT_FILE is left out" in sandbox.printed()
    assert "Name its authority in SSL_CERT_FILE" in _error(sandbox)["message"]
    assert not (tmp_path / "ran").exists()


def test_the_token_knows_its_host_in_every_spelling_and_a_named_base_needs_no_head(
    sandbox: Sandbox, host: GitHost
) -> None:
    git("symbolic-ref", "HEAD", "refs/heads/gone", at=sandbox.remote.path)
    port = host.http.url.rpartition(":")[2]
    spelled = f"HTTPS://127.0.0.1.:0{port}/acme/widgets.git/"
    assert sandbox.run(TARGET_REPO=spelled, BASE_BRANCH="main") == 0, sandbox.printed()


def test_a_renamed_repository_gets_its_pull_request_at_the_new_place(
    sandbox: Sandbox, host: GitHost
) -> None:
    repository: dict[str, object] = {"full_name": "tools/gadgets", "owner": {"login": "tools"}}
    there = _api(host, repository, "moved")
    opened: list[str] = []

    def answer(request: Request) -> Response:
        path = request.target.removeprefix("/api/v3")
        if path.startswith("/repos/old/name"):
            location = host.api_url + path.replace("/repos/old/name", "/repos/moved", 1)
            return Response(
                status=307, content={"message": "Moved"}, headers={"location": location}
            )
        opened.append(f"{request.method} {path}")
        return there(request)

    host.api = answer
    host.moved = {"old/name": "acme/widgets"}
    assert sandbox.run(TARGET_REPO=host.url("old/name")) == 0, sandbox.printed()
    assert "POST /repos/moved/pulls" in opened
    assert BRANCH in sandbox.remote.branches()
    last = sandbox.gateway.last.data
    assert last["prUrl"] == host.url("old/name/pull/1"), "it is in the task's own repository"
    assert "tools/gadgets" in str(last["summary"])


def test_no_redirect_takes_the_token_to_another_host(
    sandbox: Sandbox, host: GitHost, authority: Authority
) -> None:
    other = GitHost(root=host.root, authority=authority)
    host.moved = {"acme/widgets": f"{other.http.url}/acme/widgets"}
    assert sandbox.run() == 1
    other.http.stop()
    assert other.requests
    assert other.tokens() == set()


def test_no_redirect_of_the_api_takes_the_token_to_another_host(
    sandbox: Sandbox, host: GitHost, authority: Authority
) -> None:
    other = GitHost(root=host.root, authority=authority)
    elsewhere = {"location": f"{other.api_url}/repos/acme/widgets/pulls"}
    host.api = lambda _: Response(status=307, content={}, headers=elsewhere)
    sandbox.run()
    other.http.stop()
    assert other.requests == []


def test_who_may_not_push_is_reported_before_the_agent_is_paid(
    sandbox: Sandbox, host: GitHost, tmp_path: Path
) -> None:
    host.may_push = False
    assert sandbox.run() == 1
    assert _error(sandbox)["code"] == "no_push_access"
    assert not (tmp_path / "ran").exists()


RULES = [{"type": "creation", "ruleset_id": 7}]


@pytest.mark.parametrize(
    ("repository", "code"),
    [
        ({"archived": True}, "repository_archived"),
        ({"disabled": True}, "repository_archived"),
        ({"permissions": {"pull": True, "push": False}}, "no_push_access"),
        ({"rules": RULES}, "branch_protected"),
    ],
    ids=["archived", "disabled", "read-only", "protected"],
)
def test_what_github_would_refuse_is_reported_before_the_agent_is_paid(
    sandbox: Sandbox, host: GitHost, tmp_path: Path, repository: dict[str, object], code: str
) -> None:
    plain = _api(host, repository)

    def answer(request: Request) -> Response:
        if "/rules/branches/" in request.target:
            return Response(content=repository.get("rules", []))
        if request.target.endswith("/rulesets/7"):
            return Response(content={"name": "ours", "current_user_can_bypass": "never"})
        return plain(request)

    host.api = answer
    assert sandbox.run() == 1, sandbox.printed()
    assert _error(sandbox)["code"] == code
    assert not (tmp_path / "ran").exists()


def test_a_token_that_github_does_not_take_is_reported_before_the_agent_is_paid(
    sandbox: Sandbox, host: GitHost, tmp_path: Path
) -> None:
    host.api = lambda _: Response(status=401, content={"message": "Bad credentials"})
    assert sandbox.run() == 1
    error = _error(sandbox)
    assert (error["code"], "Bad credentials" in error["message"]) == ("github_token_refused", True)
    assert not (tmp_path / "ran").exists()


SECRET = f"{GH013}\n- GITHUB PUSH PROTECTION\n    - Push cannot contain secrets"


@pytest.mark.parametrize(
    ("message", "code"),
    [
        (
            f"{GH013}\n\n- Cannot create ref due to creations being restricted.",
            "push_protected",
        ),
        (SECRET, "secret_in_push"),
        ("error: GH001: Large files detected.", "push_too_large"),
        ("no commits on Sundays", "push_refused"),
    ],
    ids=["rule", "secret", "size", "hook"],
)
def test_a_refusal_has_a_code_by_its_words(message: str, code: str) -> None:
    hint = "".join(f"remote: {line}\n" for line in [*message.splitlines(), *["our guide"] * 400])
    stderr = f"{hint} ! [remote rejected] x -> x (pre-receive hook declined)\nerror: failed to push"
    failure = push_failure(GitFailed("push", 1, stderr), "x")
    assert failure.code == code
    for words in (message.splitlines()[0], "pre-receive hook declined"):
        assert words in failure.message


LOCK = "cannot lock ref 'refs/heads/x': "


@pytest.mark.parametrize(
    ("reason", "code", "is_retryable"),
    [
        ("Internal Server Error", "push_failed", True),
        ("failed to update ref", "push_failed", True),
        (f"{LOCK}Unable to create '/r/refs/heads/x.lock': File exists.", "push_failed", True),
        (f"{LOCK}is at {'a' * 40} but expected {'b' * 40}", "branch_moved", True),
        (f"{LOCK}reference already exists", "branch_moved", True),
        (
            f"{LOCK}'refs/heads' exists; cannot create 'refs/heads/x'",
            "branch_in_the_way",
            False,
        ),
    ],
)
def test_a_remote_that_is_unwell_or_quicker_refuses_no_change(
    reason: str, code: str, is_retryable: bool
) -> None:
    stderr = f" ! [remote rejected] {'c' * 40} -> x ({reason})\nerror: failed to push some refs"
    failure = push_failure(GitFailed("push", 1, stderr), "x")
    assert (failure.code, failure.retryable) == (code, is_retryable)


NO_ANSWER = """\
Failed to connect to 127.0.0.1 port 9 after 0 ms: Couldn't connect to server
Failed to connect to git.test port 443: No route to host
Empty reply from server
Could not resolve proxy: proxy.test
OpenSSL SSL_read: error:0A000126:SSL routines::unexpected eof while reading, errno 0
GnuTLS recv error (-110): The TLS connection was non-properly terminated.
HTTP/2 stream 1 was not closed cleanly before end of the underlying stream
Error in the HTTP2 framing layer
The requested URL returned error: 503
The requested URL returned error: 408
ssh: connect to host git.test port 22: Network is unreachable
Connection to git.test closed by remote host.
"""


@pytest.mark.parametrize("words", NO_ANSWER.splitlines())
def test_a_remote_that_cannot_be_reached_is_asked_again(words: str) -> None:
    assert is_passing(GitFailed("clone", 128, f"fatal: unable to access 'https://x/': {words}"))
    assert not is_passing(GitFailed("clone", 128, "The requested URL returned error: 403"))


def test_a_refused_push_says_its_reason_first(sandbox: Sandbox) -> None:
    message, code = SECRET, "secret_in_push"
    noise = 'for i in $(seq 400); do echo "please read our guide, part $i of it" >&2; done'
    _hook(sandbox.remote, f"cat >&2 <<'EOF'\n{message}\nEOF\n{noise}\nexit 1")
    sandbox.run()
    last = sandbox.gateway.last
    assert last.type == "task.needs_review"
    summary = str(last.data["summary"])
    assert code in summary
    assert message.splitlines()[0] in summary
    assert "pre-receive hook declined" in summary
    assert last.data["resumable"] is True, "a retry pushes what is there"


def test_nothing_a_foreign_variable_says_keeps_the_runner_silent(sandbox: Sandbox) -> None:
    foreign = {
        "NO_PROXY": "fd07:b51a:cc66:f0::/64, 10.0.0.0/8;[::1]:80 *.corp:8080 ::: ",
        "ALL_PROXY": "socks5h://127.0.0.1:1",
        "HTTP_PROXY": "http://[",
        "https_proxy": "ftp://nowhere",
        "REQUESTS_CA_BUNDLE": "/nonexistent",
        "SSL_CERT_DIR": "/nonexistent",
        "SSLKEYLOGFILE": "/nonexistent/keys",
        "OPENSSL_CONF": "/dev/zero/x",
        "NETRC": "/nonexistent",
        "LC_ALL": "nonsense",
        "PYTHONIOENCODING": "nonsense",
        "PYTHONHOME": "/nonexistent",
        "OPENAI_ORG_ID": "\u2192\n",
        "OPENAI_LOG": "debug",
        "ANTHROPIC_AUTH_TOKEN": "\u2192",
        "TRACEPARENT": "nonsense \u2192",
    }
    assert sandbox.run(**foreign) == 0, sandbox.printed()
    for name in ("HTTP_PROXY", "https_proxy", "NO_PROXY", "REQUESTS_CA_BUNDLE", "SSL_CERT_DIR"):
        assert name in sandbox.printed()


@pytest.fixture
def in_the_way(remote: Bare) -> Callable[[str], None]:
    """Somebody's branch."""
    return lambda name: remote.push(name, {"x": "x"}, "theirs")


@pytest.mark.parametrize("theirs", ["slipgate", f"{BRANCH}/sub"])
def test_a_branch_in_the_way_is_reported_before_the_agent_is_paid(
    sandbox: Sandbox, in_the_way: Callable[[str], None], tmp_path: Path, theirs: str
) -> None:
    in_the_way(theirs)
    assert sandbox.run() == 1
    error = _error(sandbox)
    assert error["code"] == "branch_in_the_way"
    assert repr(theirs) in error["message"]
    assert not (tmp_path / "ran").exists()


def test_a_name_that_nobody_chose_makes_way(
    sandbox: Sandbox, in_the_way: Callable[[str], None]
) -> None:
    in_the_way("slipgate/task_1/sub")
    assert sandbox.run(BRANCH_NAME="slipgate/task_1") == 0, sandbox.printed()
    assert sandbox.gateway.last.data["branchName"] == "slipgate-task_1"
    assert "slipgate-task_1" in sandbox.remote.branches()


@pytest.mark.parametrize(
    ("base", "code"),
    [
        ("v1", "base_branch_is_tag"),
        ("0123456789abcdef0123456789abcdef01234567", "base_branch_is_commit"),
        ("nowhere", "base_branch_missing"),
    ],
)
def test_what_is_no_branch_to_begin_from_is_reported_with_the_branches(
    sandbox: Sandbox, base: str, code: str, tmp_path: Path
) -> None:
    git("tag", "v1", "main", at=sandbox.remote.path)
    assert sandbox.run(BASE_BRANCH=base) == 1
    error = _error(sandbox)
    assert (error["code"], "It has: main" in error["message"]) == (code, True)
    assert not (tmp_path / "ran").exists()


def test_a_head_that_points_nowhere_is_no_empty_repository(sandbox: Sandbox) -> None:
    git("symbolic-ref", "HEAD", "refs/heads/gone", at=sandbox.remote.path)
    assert sandbox.run(BASE_BRANCH="") == 1
    assert _error(sandbox)["code"] == "remote_head_missing"


def test_an_empty_repository_is_called_so(sandbox: Sandbox) -> None:
    git("update-ref", "-d", "refs/heads/main", at=sandbox.remote.path)
    assert sandbox.run(BASE_BRANCH="") == 1
    assert _error(sandbox)["code"] == "empty_repository"
