"""Runs a failed check on the base commit too: the agent did not break one that fails there."""

from collections.abc import Callable, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Final, Literal

import msgspec

from .. import files
from ..reporting.events import Receipt
from .execution import Execution
from .session import Session

CACHE: Final = "baseline.json"
LARGEST_CACHE_BYTES: Final = 64 * 1024
NOTE: Final = "fails on the base commit too"
Status = Literal["passed", "failed"]


class BaseCommit(msgspec.Struct, frozen=True, kw_only=True):
    """The commit that the agent began from."""

    sha: str
    texts: Mapping[str, str]
    """Its files that may declare checks, by path."""
    checkout: Callable[[], tuple[Path, dict[str, str]]]
    """Makes a new checkout of it, and the environ of commands there."""
    cache: Path
    """The file that keeps results for a later start of the attempt."""


class Baseline:
    """The results of commands on the base commit, each found once."""

    def __init__(
        self, base: BaseCommit, session: Callable[[Path, dict[str, str]], Session]
    ) -> None:
        self._base = base
        self._make_session = session
        self._session: Session | None = None

    def status(self, line: str) -> Status | None:
        """The command's result there; None if it did not run."""
        known = self._cached()
        key = f"{self._base.sha} {line}"
        if key not in known:
            found = self._find(line)
            if found is None:
                return None
            known[key] = found
            self._keep(known)
        return known[key]

    def _find(self, line: str) -> Status | None:
        receipts: list[Receipt] = []
        if self._session is None:
            self._session = self._make_session(*self._base.checkout())
        Execution(session=self._session, on_receipt=receipts.append, only={line}).run()
        ended = [each.status for each in receipts if each.command == line]
        if not ended or ended[-1] == "not_run":
            return None
        return "passed" if ended[-1] == "passed" else "failed"

    def _cached(self) -> dict[str, Status]:
        content = files.read(self._base.cache, most=LARGEST_CACHE_BYTES)
        try:
            return msgspec.json.decode(content or b"{}", type=dict[str, Status])
        except msgspec.MsgspecError:
            return {}

    def _keep(self, known: Mapping[str, Status]) -> None:
        draft = self._base.cache.with_suffix(".new")
        with suppress(OSError):
            draft.write_bytes(msgspec.json.encode(known))
            draft.replace(self._base.cache)
