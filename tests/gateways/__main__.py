"""`python -m tests.gateways`: kills and freezes gateways on one database; `make kill` calls it."""

import argparse
import asyncio
import random
import sys
import tempfile
import time
from pathlib import Path
from typing import Final

from tests.gateways.installation import installation
from tests.gateways.report import TAKEOVER_SECONDS, report, takeovers
from tests.gateways.storm import Size

CALM_SECONDS: Final = (2.0, 9.0)
"""Between two strikes: a takeover is measured until the next one."""


async def run(size: Size) -> list[str]:
    """Everything that is not as promised, after the report."""
    began = time.monotonic()

    def log(line: str) -> None:
        print(f"{time.monotonic() - began:7.1f} s  {line}", flush=True)

    with tempfile.TemporaryDirectory(prefix="slipgate-gateways-") as folder:
        async with installation(Path(folder), size, log=log) as storm:
            await storm.rage()
            for line in report(storm):
                print(line)
            slow = [
                f"{seconds:.1f} s until deliveries went on after {kind}"
                for kind, seconds in takeovers(storm).items()
                if seconds > TAKEOVER_SECONDS
            ]
            return [*storm.problems(), *slow]


def main() -> int:
    """The exit code: 0, if everything was as promised."""
    parser = argparse.ArgumentParser(prog="tests.gateways", description=__doc__)
    parser.add_argument("--seconds", type=float, default=300.0, help="of strikes; default: 300")
    parser.add_argument("--seed", type=int, help="which programs, in which order")
    wanted = parser.parse_args()
    seed = random.getrandbits(32) if wanted.seed is None else wanted.seed
    print(f"seed {seed}")
    size = Size(seconds=wanted.seconds, seed=seed, calm_seconds=CALM_SECONDS, has_freezes=True)
    problems = asyncio.run(run(size))
    for problem in problems:
        print(f"PROBLEM {problem}")
    if not problems:
        print("0 lost, 0 doubled, 0 out of order, 0 missed or doubled in a feed")
    return 1 if problems else 0


if __name__ == "__main__":
    sys.exit(main())
