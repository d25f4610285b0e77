"""The progress of a build on a terminal, from the steps that docker tells in its output."""

import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Final

from rich.console import Console
from rich.progress import BarColumn, Progress, SpinnerColumn, TaskProgressColumn, TimeElapsedColumn

from launcher.providers.program import OutputHandler

_STEP: Final = re.compile(
    r"^(?:#\d+ \[(?:(?P<stage>\S+) +)?(?P<step>\d+)/(?P<of>\d+)\]|Step (?P<old>\d+)/(?P<all>\d+) :)"
)
"""The head of a step: BuildKit's `#8 [slim 3/12] RUN …`, or `Step 3/12 : RUN …` of those before."""


class Steps:
    """The steps of an output: all before the newest of each stage are done."""

    def __init__(self, on_progress: Callable[[int, int], None]) -> None:
        self._on_progress = on_progress
        self._stages: dict[str, tuple[int, int]] = {}
        self._rest = ""

    def read(self, piece: bytes) -> None:
        *lines, self._rest = (self._rest + piece.decode(errors="replace")).split("\n")
        for line in lines:
            if found := _STEP.match(line):
                self._begin(found)

    def _begin(self, found: re.Match[str]) -> None:
        stage = found["stage"] or ""
        done = int(found["step"] or found["old"]) - 1
        before, _ = self._stages.get(stage, (0, 0))
        self._stages[stage] = max(done, before), int(found["of"] or found["all"])
        self._on_progress(*map(sum, zip(*self._stages.values(), strict=True)))


@contextmanager
def build_progress(on_output: OutputHandler) -> Iterator[OutputHandler]:
    """Shows a bar below the output on stderr, on a terminal only."""
    console = Console(stderr=True)
    columns = (SpinnerColumn(), BarColumn(), TaskProgressColumn(), TimeElapsedColumn())
    with Progress(
        *columns, console=console, transient=True, disable=not console.is_terminal
    ) as progress:
        shown = progress.add_task("", total=None)
        steps = Steps(lambda done, total: progress.update(shown, completed=done, total=total))

        def take(piece: bytes) -> None:
            on_output(piece)
            steps.read(piece)

        yield take
