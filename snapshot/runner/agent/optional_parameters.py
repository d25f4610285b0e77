"""Parameters that a provider may refuse: it is then asked again without the one that it names."""

import re
from collections.abc import Callable, Mapping
from typing import TypeVar

from .provider_errors import ModelFailure

T = TypeVar("T")


class OptionalParameters:
    """Named groups of parameters; what was refused once is not sent again."""

    def __init__(self, signs: Mapping[str, tuple[str, ...]], log: Callable[[str], object]) -> None:
        self._signs = dict(signs)
        """Name → patterns of the words by which a refusal is recognised."""
        self._log = log

    def __contains__(self, name: str) -> bool:
        return name in self._signs

    def without_refused(self, ask: Callable[[], T]) -> T:
        """The result of `ask`, repeated without each parameter that is refused."""
        while True:
            try:
                return ask()
            except ModelFailure as failure:
                refused = self._refused(failure)
                if not refused:
                    raise
                for name in refused:
                    del self._signs[name]
                names = ", ".join(refused)
                self._log(f"[asked again without {names}: {failure.message}]\n")

    def _refused(self, failure: ModelFailure) -> list[str]:
        if failure.code != "model_refused_request":
            return []
        text = failure.message.lower()
        return [name for name, signs in self._signs.items() if _has_one(text, signs)]


def _has_one(text: str, signs: tuple[str, ...]) -> bool:
    return any(re.search(sign, text) for sign in signs)
