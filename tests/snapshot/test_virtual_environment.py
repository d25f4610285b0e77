"""The Python that commands get: not the runner's own, and one they may install into."""

import os
import sys
from pathlib import Path

from snapshot.runner.agent import tool_homes
from snapshot.runner.agent.child_env import ChildEnv
from snapshot.runner.agent.command import Runner
from snapshot.runner.agent.landlock import Confinement, abi
from snapshot.runner.agent.virtual_environment import enter
from snapshot.runner.stop import Stop
from tests.snapshot.patience import PATIENCE_SECONDS

WHEEL = "greeting-1.0-py3-none-any.whl"
MAKE_WHEEL = f"""
import zipfile
with zipfile.ZipFile("{WHEEL}", "w") as wheel:
    wheel.writestr("greeting.py", "print('hello')")
    about = "greeting-1.0.dist-info/"
    wheel.writestr(about + "METADATA", "Metadata-Version: 2.1\\nName: greeting\\nVersion: 1.0\\n")
    tag = "Root-Is-Purelib: true\\nTag: py3-none-any\\n"
    wheel.writestr(about + "WHEEL", "Wheel-Version: 1.0\\n" + tag)
    wheel.writestr(about + "RECORD", "")
"""


def in_a_workdir(workdir: Path, script: str) -> str:
    """The output of a confined bash script in a workdir of its own."""
    home, temporary, checkout = (workdir / name for name in ("home", "tmp", "checkout"))
    for directory in (home, temporary, checkout):
        directory.mkdir(exist_ok=True)
    runner = Runner(Stop(), Confinement(hidden=(workdir,), version=abi()))
    environ = ChildEnv.from_environ(os.environ).command(home=home, temporary=temporary)
    finished = runner.run(
        ["bash", "-c", script],
        directory=checkout,
        environ=enter(runner, environ, home),
        seconds=PATIENCE_SECONDS,
    )
    assert finished.exit_code == 0, finished.output
    return finished.output.strip()


def test_the_runners_own_environment_is_not_on_the_path(tmp_path: Path) -> None:
    assert sys.prefix != sys.base_prefix, "the tests run in a virtual environment"
    path = f"{sys.prefix}/bin:/usr/bin:{sys.prefix}/bin/"
    assert ChildEnv.from_environ({"PATH": path}).path == "/usr/bin"
    assert sys.prefix not in in_a_workdir(
        tmp_path, "command -v python python3 pip pip3; echo $PATH"
    )


def test_variables_of_a_virtual_environment_are_not_handed_on() -> None:
    given = {"VIRTUAL_ENV": "/x", "PYTHONHOME": "/x", "PYTHONPATH": "/x", "FEATURE": "1"}
    assert ChildEnv.from_environ(given).task == {"FEATURE": "1"}


def test_what_a_command_installs_lands_in_its_home(tmp_path: Path) -> None:
    pip = "pip install --quiet --no-index --no-deps"
    output = in_a_workdir(
        tmp_path,
        f"python - <<'END'\n{MAKE_WHEEL}\nEND\n{pip} ./{WHEEL} && python -c 'import greeting'",
    )
    assert output.splitlines()[-1] == "hello"
    assert list((tmp_path / "home").rglob("greeting.py"))


def test_npm_and_rustup_install_into_the_home_of_a_command(tmp_path: Path) -> None:
    image, home = tmp_path / "rustup", tmp_path / "home"
    (image / "toolchains" / "1.97.1").mkdir(parents=True)
    (image / "settings.toml").write_text('default_toolchain = "1.97.1"')
    home.mkdir()
    environ = tool_homes.enter({"HOME": str(home), "RUSTUP_HOME": str(image)})
    own = Path(environ["RUSTUP_HOME"])
    assert own.is_relative_to(home)
    assert (own / "toolchains" / "1.97.1").resolve() == image / "toolchains" / "1.97.1"
    assert (own / "settings.toml").read_text() == 'default_toolchain = "1.97.1"'
    assert environ["NPM_CONFIG_PREFIX"] == str(home / ".local")


def test_without_rustup_its_home_stays_as_it_is(tmp_path: Path) -> None:
    assert "RUSTUP_HOME" not in tool_homes.enter({"HOME": str(tmp_path)})
    given = {"HOME": str(tmp_path), "RUSTUP_HOME": "/nowhere"}
    assert tool_homes.enter(given)["RUSTUP_HOME"] == "/nowhere"
