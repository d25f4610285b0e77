"""Settings come from an environment that is handed in, and complain of everything at once."""

import base64
import sys
from pathlib import Path
from traceback import format_exception

import pytest

from gateway.settings import read_settings
from gateway.store.location import PostgresAddress
from gateway.wire.environment import SettingsError

KEY = base64.b64encode(b"k" * 32).decode()


def test_only_the_secret_keys_are_required() -> None:
    settings = read_settings({"SLIPGATE_SECRET_KEYS": f"k1:{KEY}"})
    assert settings.database == Path(".slipgate/slipgate.db")
    assert (settings.host, settings.port) == ("127.0.0.1", 8700)
    assert (settings.snapshot, settings.lease_seconds) == ("slipgate-agent-1", 60)
    assert settings.public_url is None


def test_four_slashes_are_an_absolute_path() -> None:
    settings = read_settings(
        {"SLIPGATE_SECRET_KEYS": f"k1:{KEY}", "SLIPGATE_DATABASE_URL": "sqlite:////srv/s.db"}
    )
    assert settings.database == Path("/srv/s.db")


POSTGRES = "postgresql://us%40r:hunter2@a.example:5433,b.example/tasks?passfile=secret.txt&password=hunter2"


@pytest.mark.parametrize("url", [POSTGRES, POSTGRES.replace("postgresql:", "postgres:")])
def test_a_postgresql_database_is_shown_without_its_password(url: str) -> None:
    database = read_settings({"SLIPGATE_SECRET_KEYS": f"k1:{KEY}", "SLIPGATE_DATABASE_URL": url})
    assert isinstance(database.database, PostgresAddress)
    assert database.database.url == database.database.session_url == url
    shown = "user=us@r host=a.example,b.example port=5433, dbname=tasks"
    assert sorted(database.database.shown.split()) == sorted(shown.split())
    assert "hunter2" not in repr(database)
    assert "secret.txt" not in repr(database)


@pytest.mark.parametrize(
    "url",
    [
        *(POSTGRES.replace("r2@", f"{sign}r2@") for sign in ("/", "@", "?/")),
        "postgres://host/db?colour=hunter2",
    ],
)
def test_an_address_that_libpq_does_not_take_is_not_repeated(url: str) -> None:
    with pytest.raises(SettingsError, match="password written as %2F") as caught:
        read_settings({"SLIPGATE_SECRET_KEYS": f"k1:{KEY}", "SLIPGATE_DATABASE_URL": url})
    assert "hunter" not in "".join(format_exception(caught.value))


def test_the_way_around_a_pooler_is_an_address_like_the_other() -> None:
    given = {
        "SLIPGATE_SECRET_KEYS": f"k1:{KEY}",
        "SLIPGATE_DATABASE_URL": POSTGRES,
        "SLIPGATE_DATABASE_SESSION_URL": "postgresql://db.example/tasks",
    }
    database = read_settings(given).database
    assert isinstance(database, PostgresAddress)
    assert database.session_url == given["SLIPGATE_DATABASE_SESSION_URL"]
    given["SLIPGATE_DATABASE_SESSION_URL"] = POSTGRES.replace("r2@", "@r2@")
    with pytest.raises(SettingsError, match="password written as %2F"):
        read_settings(given)


def test_postgresql_without_its_extra_tells_what_to_install(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setitem(sys.modules, "psycopg", None)
    with pytest.raises(SettingsError, match=r"pip install 'slipgate\[postgres\]'"):
        read_settings({"SLIPGATE_SECRET_KEYS": f"k1:{KEY}", "SLIPGATE_DATABASE_URL": POSTGRES})


def test_the_first_secret_key_is_the_current_one() -> None:
    settings = read_settings({"SLIPGATE_SECRET_KEYS": f"new:{KEY},old:{KEY}"})
    assert list(settings.secret_keys) == ["new", "old"]


def test_slipgate_port_wins_over_port() -> None:
    environ = {"SLIPGATE_SECRET_KEYS": f"k1:{KEY}", "PORT": "1000"}
    assert read_settings(environ).port == 1000
    assert read_settings({**environ, "SLIPGATE_PORT": "2000"}).port == 2000


@pytest.mark.parametrize("days", ["0", "3651", "0000000030", "30.0", "\u0663", "9" * 5000])
def test_a_number_out_of_bounds_or_form_is_refused_and_never_cut(days: str) -> None:
    with pytest.raises(SettingsError, match="a whole number from 1 to 3650"):
        read_settings({"SLIPGATE_SECRET_KEYS": f"k1:{KEY}", "SLIPGATE_RETENTION_DAYS": days})


def test_all_problems_are_told_at_once_and_no_secret_with_them() -> None:
    with pytest.raises(SettingsError) as caught:
        read_settings(
            {
                "SLIPGATE_SECRET_KEYS": "hunter2",
                "SLIPGATE_DATABASE_URL": "mysql://x",
                "SLIPGATE_PUBLIC_URL": "ftp://x",
                "SLIPGATE_PORT": "70000",
                "SLIPGATE_ALLOW_FILE_REPOS": "maybe",
                "SLIPGATE_TRUSTED_PROXIES": "everybody",
                "SLIPGATE_PORTAL_ORIGINS": "https://app.example,https://a.example/x;script-src *",
                "SLIPGATE_LOG": "xml",
            }
        )
    text = str(caught.value)
    assert len(caught.value.problems) == 8
    assert "hunter2" not in text
    with pytest.raises(SettingsError, match="SLIPGATE_SECRET_KEYS_FILE name a file"):
        read_settings({})


def test_secrets_hide_their_repr() -> None:
    settings = read_settings(
        {"SLIPGATE_SECRET_KEYS": f"k1:{KEY}", "SLIPGATE_GITHUB_WEBHOOK_SECRETS": "gh-secret"}
    )
    assert KEY not in repr(settings)
    assert "kkkk" not in repr(settings)
    assert "gh-secret" not in repr(settings)
