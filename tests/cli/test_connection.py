"""The gateway that a command calls: which options, variables and files decide."""

import stat
from collections.abc import Mapping
from pathlib import Path

import pytest

from gateway.cli.console.output import CommandFailed
from gateway.cli.http.connection import FOLDER, find_connection
from gateway.cli.http.options import Chosen
from gateway.cli.http.profiles import Profile, profiles_path, read_profiles, write_profiles
from gateway.cli.local.state import State
from gateway.cli.main import main
from tests.cli.operator import Operator

PRODUCTION, STAGING, UP = "https://gate.example", "https://staging.example", "http://127.0.0.1:8701"
ENVIRON = {"SLIPGATE_URL": "http://env:1", "SLIPGATE_API_KEY": "k_env"}


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A home with two profiles; the folder is one in which nothing runs."""
    monkeypatch.chdir(tmp_path)
    profiles = {"default": Profile(PRODUCTION, "k_gate"), "staging": Profile(STAGING, "k_staging")}
    write_profiles(profiles_path({"HOME": str(tmp_path)}), profiles)
    return tmp_path


@pytest.mark.parametrize(
    ("options", "environ", "expected"),
    [
        (Chosen(), {}, (PRODUCTION, "k_gate")),
        (Chosen(), ENVIRON, ("http://env:1", "k_env")),
        (Chosen(), {"SLIPGATE_API_KEY": "k_env"}, ("http://127.0.0.1:8700", "k_env")),
        (Chosen(), {"SLIPGATE_URL": f"{PRODUCTION}/"}, (PRODUCTION, "k_gate")),
        (Chosen(), {**ENVIRON, "SLIPGATE_PROFILE": "staging"}, (STAGING, "k_staging")),
        (Chosen(profile="staging"), ENVIRON, (STAGING, "k_staging")),
        (Chosen(profile="staging", key="k_me"), ENVIRON, (STAGING, "k_me")),
        (Chosen(url="http://b:2/"), ENVIRON, ("http://b:2", "k_env")),
        (Chosen(url="http://b:2", key="k_me"), {}, ("http://b:2", "k_me")),
        (Chosen(url=STAGING, profile="staging"), {}, (STAGING, "k_staging")),
        (Chosen(key="k_me"), {"SLIPGATE_URL": "http://env:1"}, ("http://env:1", "k_me")),
    ],
    ids=[
        "the default profile",
        "the environment",
        "a key alone",
        "the address of a profile",
        "a profile by variable",
        "a profile by option",
        "a profile with another key",
        "an address",
        "both",
        "an address that a profile has",
        "a key",
    ],
)
def test_the_nearest_wins(
    home: Path, options: Chosen, environ: Mapping[str, str], expected: tuple[str, str]
) -> None:
    found = find_connection(options, {"HOME": str(home), **environ})
    assert (found.url, found.key) == expected


@pytest.mark.parametrize(
    ("options", "environ", "message"),
    [
        (Chosen(profile="prod"), {}, "no profile prod; there are: default, staging"),
        (Chosen(url="http://b:2"), {}, "no key is stored for http://b:2"),
        (Chosen(url="http://b:2", profile="staging"), {}, "no key is stored for http://b:2"),
        (Chosen(), {"SLIPGATE_URL": "http://b:2"}, "no key is stored for http://b:2"),
        (Chosen(url="b:2", key="k"), {}, "--url is not an http or https address"),
        (Chosen(key="ké"), {}, "--key is not a key"),
    ],
    ids=["no profile", "no key", "a key of another", "an address alone", "no address", "no key's"],
)
def test_a_key_goes_to_no_other_address(
    home: Path, options: Chosen, environ: Mapping[str, str], message: str
) -> None:
    with pytest.raises(CommandFailed, match=message):
        find_connection(options, {"HOME": str(home), **environ})


def test_a_running_up_is_found_in_its_folder_and_gone_afterwards(home: Path) -> None:
    environ = {"HOME": str(home)}
    with State(Path(".slipgate")).connection(UP, "k_up"):
        found = find_connection(Chosen(), environ)
        assert (found.url, found.key) == (UP, "k_up")
        assert find_connection(Chosen(), {**environ, **ENVIRON}).key == "k_env"
        assert stat.S_IMODE(FOLDER.stat().st_mode) == 0o600
    assert find_connection(Chosen(), environ).key == "k_gate"


@pytest.mark.parametrize(
    ("url", "mode"), [(UP, 0o644), ("http://evil.example", 0o600)], ids=["readable", "elsewhere"]
)
def test_a_file_that_came_with_a_clone_redirects_nothing(home: Path, url: str, mode: int) -> None:
    write_profiles(FOLDER, {"up": Profile(url, "k_evil")})
    FOLDER.chmod(mode)
    assert find_connection(Chosen(), {"HOME": str(home)}).key == "k_gate"


def test_without_any_the_error_says_how_to_get_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(CommandFailed, match="No gateway is known here") as caught:
        find_connection(Chosen(), {"HOME": str(tmp_path)})
    assert "slipgate login" in caught.value.next_step
    profiles_path({"HOME": str(tmp_path)}).parent.mkdir(parents=True)
    profiles_path({"HOME": str(tmp_path)}).write_text("[default]\nurl = 'x'\n")
    with pytest.raises(CommandFailed, match="has a url and a key"):
        find_connection(Chosen(), {"HOME": str(tmp_path)})


def test_login_tries_the_key_and_keeps_it_for_its_owner(
    operator: Operator, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    url = str(operator.http.base_url).rstrip("/")
    key = operator.key
    for name in ("SLIPGATE_URL", "SLIPGATE_API_KEY"):
        monkeypatch.delenv(name)
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path))
    monkeypatch.chdir(tmp_path)
    refused = operator.types("login", f"--url={url}", f"--key=slip_tasks_{'q' * 43}")
    assert (refused.code, "--key is no key of this gateway" in refused.err) == (1, True)
    assert operator.types("login", "--profile=a b", f"--url={url}", f"--key={key}").code == 2

    assert operator.types("login", f"--url={url}", f"--key={key}").code == 0
    file = tmp_path / "slipgate" / "profiles.toml"
    assert read_profiles(file) == {"default": Profile(url, key)}
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert operator.types("tasks", "list").code == 0

    named = operator.types("login", "--profile=two", f"--url={url}", f"--key={key}", "--json")
    assert named.document["profile"] == "two"
    assert operator.types("logout").code == 0
    assert operator.types("tasks", "list").code == 1
    assert operator.types("tasks", "list", "--profile", "two").code == 0
    assert operator.types("--profile", "two", "tasks", "list").code == 0
    missing = operator.types("logout", "--json")
    assert (missing.code, "two" in missing.err) == (1, True)


def test_a_refusal_is_json_on_stderr_if_json_was_asked_for(
    operator: Operator, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["tasks", "show", "task_nope", "--json"]) == 1
    printed = capsys.readouterr()
    assert printed.out == ""
    for part in ('"code": "not_found"', '"status": 404', '"message": ', '"next": '):
        assert part in printed.err
