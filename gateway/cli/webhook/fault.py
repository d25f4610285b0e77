"""What a receiver does wrong because it was told to, so that its sender can be seen to bear it."""

import re
from typing import Final, Literal

import msgspec
import typer

Kind = Literal["status", "redirect", "reset", "hang"]
_KINDS: Final[dict[str, tuple[Kind, int]]] = {
    "redirect": ("redirect", 302),
    "reset": ("reset", 0),
    "hang": ("hang", 0),
}
_STATUS: Final = re.compile(r"[345][0-9]{2}")
HANG_SECONDS: Final = 120
"""Longer than any sender waits."""


class Fault(msgspec.Struct, frozen=True, kw_only=True):
    """A wrong answer, and to which of the requests."""

    kind: Kind
    status: int = 0
    retry_after: int | None = None
    location: str = "/elsewhere"
    times: int | None = None
    """Only to the first so many; None: there is no end of it."""
    every: int = 1
    """Only to every Nth: 2 is every second."""

    @classmethod
    def read(
        cls,
        text: str,
        *,
        times: int | None = None,
        every: int = 1,
        retry_after: int | None = None,
    ) -> "Fault":
        """`500` and every other status from 300, `redirect`, `reset`, `hang`.

        Raises:
            BadParameter: it is none of them.
        """
        kind, status = _KINDS.get(text, ("status", 0))
        if kind == "status":
            status = int(text) if _STATUS.fullmatch(text) else 0
            if not status:
                wanted = "expected a status from 300 to 599, redirect, reset or hang"
                raise typer.BadParameter(wanted, param_hint="--fail")
        return cls(kind=kind, status=status, times=times, every=every, retry_after=retry_after)

    def concerns(self, number: int) -> bool:
        """Whether the request of this number, from 1, is answered wrongly."""
        return number % self.every == 0 and (
            self.times is None or number <= self.times * self.every
        )

    @property
    def headers(self) -> dict[str, str]:
        """What goes with the wrong answer."""
        location = {"location": self.location} if self.kind == "redirect" else {}
        wait = {} if self.retry_after is None else {"retry-after": str(self.retry_after)}
        return location | wait
