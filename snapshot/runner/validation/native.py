"""C and C++: CMake, Meson or autotools builds them; the first that has tests runs them."""

from collections.abc import Iterator
from typing import Final

from .folder import Folder
from .plan import Argv, Command, Host, Part

MARKERS: Final = ("CMakeLists.txt", "meson.build", "configure.ac", "configure.in", "configure")
PROGRAMS: Final = frozenset({"cmake", "meson", "make"})
"""Names of the ecosystem, by the program that builds."""
BUILD: Final = "build"
JOBS: Final = "2"
"""Compilers at once: one of C++ may take 2 GB."""
_CMAKE_TESTS: Final = ("enable_testing", "CTest")


def plan(folder: Folder, host: Host) -> Part:
    """The part of the folder's build tool; without checks if it declares no tests."""
    program, setup, checks = _chosen(folder)
    return Part(
        ecosystem=program,
        setup=tuple(Command(argv=argv, directory=folder.path) for argv in setup),
        checks=tuple(Command(argv=argv, directory=folder.path) for argv in checks),
        missing="" if host.has(program) else program,
    )


def _chosen(folder: Folder) -> tuple[str, tuple[Argv, ...], tuple[Argv, ...]]:
    """Its program, set-up and checks."""
    has_cmake = folder.has("CMakeLists.txt")
    if has_cmake and any(word in folder.text("CMakeLists.txt") for word in _CMAKE_TESTS):
        argv = ("ctest", "--test-dir", BUILD, "--output-on-failure")
        return "cmake", tuple(_cmake()), (argv,)
    if folder.has("meson.build"):
        return "meson", (("meson", "setup", BUILD),), (("meson", "test", "-C", BUILD),)
    if folder.has("configure.ac", "configure.in", "configure"):
        return "make", tuple(_configure(folder)), (("make", "check"),)
    return "cmake", tuple(_cmake()), ()


def _cmake() -> Iterator[Argv]:
    yield ("cmake", "-S", ".", "-B", BUILD)
    yield ("cmake", "--build", BUILD, "--parallel", JOBS)


def _configure(folder: Folder) -> Iterator[Argv]:
    if not folder.has("configure"):
        yield ("autoreconf", "--force", "--install")
    yield ("sh", "./configure")
