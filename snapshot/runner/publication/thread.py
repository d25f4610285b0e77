"""Comments of an attempt on the pull request that it goes on with; each is written once."""

from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from typing import Final

import msgspec

from ..failure import Failure
from ..stop import Stopped
from .github import GitHub
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
        """The marker is looked for first: a runner that began again would repeat itself."""
        marker = f"<!-- slipgate {self.task_id} {self.attempt} {kind} -->"
        try:
            if not any(marker in body for body in self._bodies()):
                self.github.comment(self.number, f"{self.redact(text)}\n\n{marker}")
        except Stopped:
            raise
        except Exception as exc:  # noqa: BLE001 - a comment is never worth the attempt's work
            print(f"slipgate: the pull request has no comment: {exc}", flush=True)

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
