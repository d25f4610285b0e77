"""The table of ecosystems: marker → set-up → checks → tools."""

import os
from collections.abc import Callable, Iterator, Mapping
from typing import Final

import msgspec

from . import node, python
from .folder import Folder
from .plan import Argv, Command, Host, Part

Steps = Callable[[Folder, Host], Iterator[Command]]


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
        target = "test" if folder.has("test") else "spec"
        yield Command(argv=(*bundled, "rake", target), directory=folder.path)


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


def _cmake_checks(folder: Folder, _: Host) -> Iterator[Command]:
    if "enable_testing" in folder.text("CMakeLists.txt") or "CTest" in folder.text(
        "CMakeLists.txt"
    ):
        argv = ("ctest", "--test-dir", "build", "--output-on-failure")
        yield Command(argv=argv, directory=folder.path)


def _configure(folder: Folder, _: Host) -> Iterator[Command]:
    if not folder.has("configure"):
        yield Command(argv=("autoreconf", "--force", "--install"), directory=folder.path)
    yield Command(argv=("sh", "./configure"), directory=folder.path)


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
        plan=_row("swift", setup=_nothing, checks=_always(("swift", "test"))),
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
        name="cmake",
        tools=("cmake",),
        markers=("CMakeLists.txt",),
        is_whole=True,
        plan=_row(
            "cmake",
            setup=_always(("cmake", "-S", ".", "-B", "build"), ("cmake", "--build", "build")),
            checks=_cmake_checks,
        ),
    ),
    Ecosystem(
        name="autotools",
        tools=("cc", "gcc", "clang"),
        markers=("configure.ac", "configure.in", "configure"),
        is_whole=True,
        plan=_row("autotools", setup=_configure, checks=_always(("make", "check"))),
    ),
    Ecosystem(
        name="perl",
        tools=("prove",),
        markers=("Makefile.PL", "Build.PL", "cpanfile", "dist.ini"),
        plan=_row("perl", setup=_nothing, checks=_always(("prove", "-lr", "t"))),
    ),
)
LAST: Final = Ecosystem(
    name="pre-commit",
    tools=("pre-commit", "python3"),
    markers=(".pre-commit-config.yaml",),
    plan=_row("pre-commit", setup=_pre_commit_setup, checks=_pre_commit_checks),
)
"""The checks of a repository that has no others."""
