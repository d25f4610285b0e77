"""Comments of an attempt on the pull request that it goes on with; each is written once."""

from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from typing import Final

import msgspec

from ..failure import Failure
from ..stop import Stopped
from .github import GitHub
from .github_api import TRIES
from .masking import markdown

PAGE: Final = 100
PAGES: Final = 20
"""The end of a longer thread is not read: a comment may then be repeated after a restart."""


class _Comment(msgspec.Struct, frozen=True):
    body: str | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class Thread:
    github: GitHub
    number: str
    task_id: str
    attempt: int
    redact: Callable[[str], str]

    def begin(self) -> None:
        """Tell that the attempt has begun."""
        self._post("begin", f"slipgate works on this: `{self.task_id}`, attempt {self.attempt}.")

    def end(self, text: str) -> None:
        """Tell how the attempt ended; the first such comment stays the only one. A stop ends the
        wait for GitHub, and not the report of what was done."""
        with suppress(Stopped):
            self._post("end", text)

    def fail(self, code: str, reason: str) -> None:
        """Tell why nothing was pushed."""
        origin = f"`{self.task_id}`, attempt {self.attempt}"
        self.end(f"slipgate pushed nothing here ({origin}): `{code}`\n\n{markdown(reason)}")

    def _post(self, kind: str, text: str) -> None:
        marker = f"<!-- slipgate {self.task_id} {self.attempt} {kind} -->"
        try:
            self._write(marker, f"{self.redact(text)}\n\n{marker}", tries=TRIES)
        except Stopped:
            raise
        except Exception as exc:  # noqa: BLE001 - a comment is never worth the attempt's work
            print(f"slipgate: the pull request has no comment: {exc}", flush=True)

    def _write(self, marker: str, text: str, *, tries: int) -> None:
        """The marker is looked for before each try: an earlier start of the runner may have written
        the comment, or a try whose answer was lost."""
        if any(marker in body for body in self._bodies()):
            return
        try:
            self.github.comment(self.number, text)
        except Failure as failure:
            if not failure.retryable or tries == 1:
                raise
            # A thread may not show at once the comment that was just written.
            self.github.sleep(2.0 ** (TRIES - tries))
            self._write(marker, text, tries=tries - 1)

    def _bodies(self) -> Iterator[str]:
        path = f"issues/{self.number}/comments"
        for page in range(1, PAGES + 1):
            query = {"per_page": str(PAGE), "page": str(page)}
            found = self.github.get(path, tuple[_Comment, ...], **query)
            if found is None:
                raise Failure("github_unreachable", "its thread cannot be read")
            yield from (comment.body or "" for comment in found)
            if len(found) < PAGE:
                return
