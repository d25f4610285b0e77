"""The table of ecosystems: marker → set-up → checks → tools."""

import os
import re
from collections.abc import Callable, Iterator, Mapping
from typing import Final

import msgspec

from . import native, node, python
from .folder import Folder
from .plan import Argv, Command, Host, Part

Steps = Callable[[Folder, Host], Iterator[Command]]
_BATS: Final = ("test", "tests", "bats")
"""Folders of a shell's tests."""
LARGEST_RAKEFILE: Final = 20_000
"""Characters that are read."""
_RAKE_TASK: Final = re.compile(
    r"(?m)^[ \t]*(?:task|\S*Task\.(?:new|create))[ (]*[:'\"](test|spec)\b"
)


class Ecosystem(msgspec.Struct, frozen=True, kw_only=True):
    """One row of the table."""

    name: str
    markers: tuple[str, ...]
    """Names or patterns of files of which one makes a folder a project of it."""
    tools: tuple[str, ...]
    """Programs of which one must be installed."""
    plan: Callable[[Folder, Host], Part]
    sources: tuple[str, ...] = ()
    """Patterns of files that show the same in the checkout's own folder alone."""
    is_whole: bool = False
    """It is checked from its outermost folder: an inner one is no project of its own."""

    def part(self, folder: Folder, host: Host) -> Part | None:
        """Its part of the folder, if it is there."""
        sources = () if folder.path else self.sources
        if not folder.has(*self.markers, *sources) or (self.is_whole and self._is_inner(folder)):
            return None
        if any(host.has(tool) for tool in self.tools):
            return self.plan(folder, host)
        missing = self.tools[0]
        return msgspec.structs.replace(self.plan(folder, host), missing=missing)

    def _is_inner(self, folder: Folder) -> bool:
        above = folder.above
        return above is not None and above.enclosing(*self.markers) is not None


def _row(
    ecosystem: str, *, setup: Steps, checks: Steps, environ: Mapping[str, str] | None = None
) -> Callable[[Folder, Host], Part]:
    def plan(folder: Folder, host: Host) -> Part:
        return Part(
            ecosystem=ecosystem,
            setup=tuple(setup(folder, host)),
            checks=tuple(checks(folder, host)),
            environ=environ or {},
        )

    return plan


def _always(*argvs: Argv, is_prefetch: bool = False) -> Steps:
    def steps(folder: Folder, _: Host) -> Iterator[Command]:
        for argv in argvs:
            yield Command(argv=argv, directory=folder.path, is_prefetch=is_prefetch)

    return steps


def _prefetch(*argv: str) -> Steps:
    return _always(argv, is_prefetch=True)


def _nothing(_folder: Folder, _host: Host) -> Iterator[Command]:
    yield from ()


def _go_checks(folder: Folder, _: Host) -> Iterator[Command]:
    packages: tuple[str, ...] = ("./...",)
    if folder.has("go.work") and not folder.has("go.mod"):
        lines = [line.split("//")[0].strip("() \t") for line in folder.text("go.work").splitlines()]
        used = [line.removeprefix("use").strip() for line in lines]
        packages = tuple(f"{each.rstrip('/')}/..." for each in used if each.startswith("./"))
    yield Command(argv=("go", "test", *packages), directory=folder.path)


def _go_setup(folder: Folder, _: Host) -> Iterator[Command]:
    if folder.has("go.mod") and not folder.has("vendor"):
        yield Command(argv=("go", "mod", "download"), directory=folder.path, is_prefetch=True)


def _cargo_setup(folder: Folder, _: Host) -> Iterator[Command]:
    locked = ("--locked",) if folder.enclosing("Cargo.lock") else ()
    if folder.has("Cargo.toml"):
        yield Command(argv=("cargo", "fetch", *locked), directory=folder.path, is_prefetch=True)


def _cargo_checks(folder: Folder, _: Host) -> Iterator[Command]:
    is_workspace = "workspace" in folder.table("Cargo.toml")
    argv = ("cargo", "test", *(("--workspace",) if is_workspace else ()))
    if folder.has("Cargo.toml"):
        yield Command(argv=argv, directory=folder.path)


def _wrapper(folder: Folder, name: str, program: str) -> Argv:
    """The repository's own wrapper of a build tool; it may lack its mode."""
    if not folder.has(name):
        return (program,)
    is_executable = os.access(folder.directory / name, os.X_OK)
    return (f"./{name}",) if is_executable else ("sh", name)


def _maven(*goals: str, is_prefetch: bool) -> Steps:
    def steps(folder: Folder, _: Host) -> Iterator[Command]:
        argv = (*_wrapper(folder, "mvnw", "mvn"), "--batch-mode", "--no-transfer-progress", *goals)
        yield Command(argv=argv, directory=folder.path, is_prefetch=is_prefetch)

    return steps


def _gradle(*tasks: str, is_prefetch: bool) -> Steps:
    def steps(folder: Folder, _: Host) -> Iterator[Command]:
        argv = (*_wrapper(folder, "gradlew", "gradle"), "--console=plain", "--no-daemon", *tasks)
        yield Command(argv=argv, directory=folder.path, is_prefetch=is_prefetch)

    return steps


def _ruby_plan(folder: Folder, host: Host) -> Part:
    variables = {"BUNDLE_PATH": str(host.home / "gems")}
    if folder.has("Gemfile.lock"):
        variables["BUNDLE_FROZEN"] = "true"
    setup = [("bundle", "install", "--quiet")] if folder.has("Gemfile") else []
    return Part(
        ecosystem="ruby",
        setup=tuple(Command(argv=argv, directory=folder.path) for argv in setup),
        checks=tuple(_ruby_checks(folder)),
        environ=variables,
    )


def _ruby_checks(folder: Folder) -> Iterator[Command]:
    bundled: Argv = ("bundle", "exec") if folder.has("Gemfile") else ()
    gems = folder.text("Gemfile", *folder.matching("*.gemspec"), "Rakefile")
    if folder.has("bin/rails") and folder.has("test"):
        yield Command(argv=("bin/rails", "test"), directory=folder.path)
    elif folder.has(".rspec") or (folder.has("spec") and "rspec" in gems.lower()):
        yield Command(argv=(*bundled, "rspec"), directory=folder.path)
    elif folder.has("Rakefile") and folder.has("test", "spec"):
        yield Command(argv=(*bundled, "rake", _rake_task(folder)), directory=folder.path)


def _rake_task(folder: Folder) -> str:
    """The task that the Rakefile defines; else the name of the folder, for tasks of a gem.

    Rake takes a folder's name, too: `rake test` without such a task ends well and does nothing.
    """
    defined = _RAKE_TASK.findall(folder.text("Rakefile")[:LARGEST_RAKEFILE])
    folders = (name for name in ("test", "spec") if folder.has(name))
    return next((name for name in ("test", "spec") if name in defined), next(folders))


def _composer_setup(folder: Folder, _: Host) -> Iterator[Command]:
    options = ("--no-interaction", "--no-progress", "--prefer-dist")
    if folder.has("composer.json"):
        yield Command(argv=("composer", "install", *options), directory=folder.path)


def _composer_checks(folder: Folder, _: Host) -> Iterator[Command]:
    scripts = folder.table("composer.json").get("scripts")
    if isinstance(scripts, dict) and "test" in scripts:
        yield Command(argv=("composer", "test"), directory=folder.path)
    elif folder.has("tests/Pest.php"):
        yield Command(argv=("vendor/bin/pest",), directory=folder.path)
    elif folder.has("phpunit.xml", "phpunit.xml.dist", "phpunit.dist.xml"):
        yield Command(argv=("vendor/bin/phpunit",), directory=folder.path)


def _perl_plan(folder: Folder, host: Host) -> Part:
    modules = host.home / "perl5"
    return Part(
        ecosystem="perl",
        setup=tuple(
            Command(argv=argv, directory=folder.path)
            for argv in _perl_setup(folder, host, str(modules))
        ),
        checks=tuple(_perl_checks(folder)),
        environ={"PERL5LIB": str(modules / "lib" / "perl5")},
    )


def _perl_setup(folder: Folder, host: Host, modules: str) -> Iterator[Argv]:
    """Its modules, and for the tests of make and Build the build: it may compile C."""
    if host.has("cpanm"):
        yield ("cpanm", "--quiet", "--notest", "--local-lib", modules, "--installdeps", ".")
    if folder.has("Makefile.PL"):
        yield from (("perl", "Makefile.PL"), ("make",))
    elif folder.has("Build.PL"):
        yield from (("perl", "Build.PL"), ("./Build",))


def _perl_checks(folder: Folder) -> Iterator[Command]:
    argv: Argv = ("prove", "-lr", "t")
    if folder.has("Makefile.PL"):
        argv = ("make", "test")
    elif folder.has("Build.PL"):
        argv = ("./Build", "test")
    yield Command(argv=argv, directory=folder.path)


def _swift_checks(folder: Folder, _: Host) -> Iterator[Command]:
    """None for a library of another language that is only packaged for Swift."""
    if ".testTarget" in folder.text("Package.swift"):
        yield Command(argv=("swift", "test"), directory=folder.path)


def _bats_checks(folder: Folder, _: Host) -> Iterator[Command]:
    tests = next(name for name in _BATS if folder.has(f"{name}/*.bats"))
    yield Command(argv=("bats", "--recursive", tests), directory=folder.path)


def _pre_commit_setup(_: Folder, host: Host) -> Iterator[Command]:
    yield from (Command(argv=argv) for argv in python.tool_steps(host, "pre-commit"))


def _pre_commit_checks(folder: Folder, _: Host) -> Iterator[Command]:
    yield Command(argv=("pre-commit", "run", "--all-files"), directory=folder.path)


TABLE: Final = (
    Ecosystem(
        name="python",
        tools=("python3", "python"),
        markers=(
            *("pyproject.toml", "setup.py", "setup.cfg", "tox.ini", "noxfile.py", "manage.py"),
            *("requirements*.txt", "Pipfile"),
        ),
        sources=("*.py", "pytest.ini", "tests/*.py", "test/*.py"),
        plan=python.plan,
    ),
    Ecosystem(
        name="node",
        tools=("node",),
        markers=("package.json",),
        plan=node.plan,
    ),
    Ecosystem(
        name="go",
        tools=("go",),
        markers=("go.mod", "go.work"),
        sources=("*.go",),
        plan=_row("go", setup=_go_setup, checks=_go_checks),
    ),
    Ecosystem(
        name="rust",
        tools=("cargo",),
        markers=("Cargo.toml",),
        sources=("*.rs",),
        plan=_row("rust", setup=_cargo_setup, checks=_cargo_checks),
    ),
    Ecosystem(
        name="maven",
        tools=("java",),
        markers=("pom.xml",),
        is_whole=True,
        plan=_row(
            "maven",
            setup=_maven("-DskipTests", "test-compile", is_prefetch=True),
            checks=_maven("test", is_prefetch=False),
        ),
    ),
    Ecosystem(
        name="gradle",
        tools=("java",),
        markers=("build.gradle", "build.gradle.kts", "settings.gradle", "settings.gradle.kts"),
        is_whole=True,
        plan=_row(
            "gradle",
            setup=_gradle("testClasses", is_prefetch=True),
            checks=_gradle("test", is_prefetch=False),
        ),
    ),
    Ecosystem(
        name="ruby",
        tools=("ruby",),
        markers=("Gemfile", "*.gemspec", "Rakefile"),
        sources=("*.rb",),
        plan=_ruby_plan,
    ),
    Ecosystem(
        name="php",
        tools=("php",),
        markers=("composer.json",),
        sources=("*.php",),
        plan=_row("php", setup=_composer_setup, checks=_composer_checks),
    ),
    Ecosystem(
        name="dotnet",
        tools=("dotnet",),
        markers=("*.sln", "*.slnx", "*.csproj", "*.fsproj"),
        is_whole=True,
        plan=_row(
            "dotnet", setup=_prefetch("dotnet", "restore"), checks=_always(("dotnet", "test"))
        ),
    ),
    Ecosystem(
        name="elixir",
        tools=("mix",),
        markers=("mix.exs",),
        is_whole=True,
        plan=_row(
            "elixir",
            setup=_always(
                ("mix", "local.hex", "--force", "--if-missing"),
                ("mix", "local.rebar", "--force", "--if-missing"),
                ("mix", "deps.get"),
            ),
            checks=_always(("mix", "test")),
        ),
    ),
    Ecosystem(
        name="swift",
        tools=("swift",),
        markers=("Package.swift",),
        plan=_row("swift", setup=_nothing, checks=_swift_checks),
    ),
    Ecosystem(
        name="dart",
        tools=("dart",),
        markers=("pubspec.yaml",),
        plan=_row("dart", setup=_always(("dart", "pub", "get")), checks=_always(("dart", "test"))),
    ),
    Ecosystem(
        name="deno",
        tools=("deno",),
        markers=("deno.json", "deno.jsonc"),
        plan=_row("deno", setup=_nothing, checks=_always(("deno", "test", "--allow-all"))),
    ),
    Ecosystem(
        name="sbt",
        tools=("sbt",),
        markers=("build.sbt",),
        is_whole=True,
        plan=_row("sbt", setup=_nothing, checks=_always(("sbt", "-batch", "test"))),
    ),
    Ecosystem(
        name="C and C++",
        tools=("cc", "gcc", "clang"),
        markers=native.MARKERS,
        is_whole=True,
        plan=native.plan,
    ),
    Ecosystem(
        name="perl",
        tools=("perl",),
        markers=("Makefile.PL", "Build.PL", "cpanfile", "dist.ini"),
        plan=_perl_plan,
    ),
    Ecosystem(
        name="lua",
        tools=("busted",),
        markers=(".busted", "spec/*_spec.lua"),
        plan=_row("lua", setup=_nothing, checks=_always(("busted",))),
    ),
)
LAST: Final = (
    Ecosystem(
        name="bats",
        tools=("bats",),
        markers=tuple(f"{folder}/*.bats" for folder in _BATS),
        plan=_row("bats", setup=_nothing, checks=_bats_checks),
    ),
    Ecosystem(
        name="pre-commit",
        tools=("pre-commit", "python3"),
        markers=(".pre-commit-config.yaml",),
        plan=_row("pre-commit", setup=_pre_commit_setup, checks=_pre_commit_checks),
    ),
)
"""The checks of a repository that has no others: the first of these."""
