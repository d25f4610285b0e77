"""Choices: everything a seed decides, written down so that a run replays and can be made smaller.

Each actor draws from a stream of its own: leaving out what one of them does not shift what the
others draw. Zero is always the plain choice (no fault, the shortest wait), so a recorded run is
made simpler by putting zeros into it; behind the end of a recording there are only zeros.
"""

from collections.abc import Sequence
from random import Random
from typing import TypeVar

T = TypeVar("T")

Recording = dict[str, list[int]]
"""By stream, the numbers drawn."""
PER_MILLE = 1_000


class Stream:
    """The choices of one actor."""

    def __init__(self, random: Random | None, drawn: list[int]) -> None:
        self._random = random.random if random else None
        self._replay = iter(() if random else list(drawn))
        self._drawn = drawn
        if random is None:
            drawn.clear()

    def below(self, limit: int) -> int:
        """A number from 0 up to, not including, `limit`."""
        if self._random is not None:
            number = int(self._random() * limit)
        else:
            number = min(next(self._replay, 0), limit - 1)
        self._drawn.append(number)
        return number

    def happens(self, per_mille: int) -> bool:
        """True in `per_mille` of a thousand cases."""
        return per_mille > 0 and self.below(PER_MILLE) >= PER_MILLE - per_mille

    def pick(self, options: Sequence[T]) -> T:
        """One of them; the first one is the plainest."""
        return options[self.below(len(options))]


class Choices:
    """The streams of one run: drawn from a seed, or replayed from a recording."""

    def __init__(self, seed: int, recording: Recording | None = None) -> None:
        self._seed = seed
        self._replays = recording is not None
        self.drawn: Recording = {name: list(drawn) for name, drawn in (recording or {}).items()}
        self._streams: dict[str, Stream] = {}

    def stream(self, name: str) -> Stream:
        """The stream of this actor; the same one each time."""
        stream = self._streams.get(name)
        if stream is None:
            random = None if self._replays else Random(f"{self._seed}/{name}")
            stream = Stream(random, self.drawn.setdefault(name, []))
            self._streams[name] = stream
        return stream
