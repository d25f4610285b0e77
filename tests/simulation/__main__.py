"""`python -m tests.simulation`: plays seeds; `make simulate` calls it."""

import argparse
import os
import sys

from tests.simulation.run import run_seeds, show


def main() -> int:
    """The exit code: 0, if every invariant held."""
    parser = argparse.ArgumentParser(prog="tests.simulation", description=__doc__)
    parser.add_argument("--seeds", type=int, default=1_000, help="how many to play")
    parser.add_argument("--first", type=int, default=0, help="the first of them")
    parser.add_argument("--seed", type=int, help="play this one, and tell it if it fails")
    parser.add_argument("--differential", action="store_true", help="hold the store against SQLite")
    wanted = parser.parse_args()
    if wanted.seed is not None:
        return show(wanted.seed)
    return run_seeds(wanted.first, wanted.seeds, differential=wanted.differential)


if __name__ == "__main__":
    if os.environ.get("PYTHONHASHSEED") != "0":
        # Sets of words have an order; it must be the same in each process that plays a seed.
        os.environ["PYTHONHASHSEED"] = "0"
        again = [sys.executable, "-m", "tests.simulation", *sys.argv[1:]]
        os.execv(sys.executable, again)  # noqa: S606 - an argument list, never a shell string
    sys.exit(main())
