"""The arguments of `slipgate doctor` and `slipgate snapshot`, as those of the other commands: two
examples in the help, and errors with the next step, with `--json` as JSON."""

import argparse
import sys
from collections.abc import Sequence
from typing import Final, NoReturn

import msgspec

USAGE: Final = 2


class ArgumentParser(argparse.ArgumentParser):
    """A parser of one command."""

    def __init__(self, *, prog: str, description: str = "", examples: Sequence[str] = ()) -> None:
        super().__init__(
            prog=prog,
            description=description,
            epilog="\n".join(f"Example: {line}" for line in examples),
            formatter_class=argparse.RawDescriptionHelpFormatter,
        )

    def error(self, message: str) -> NoReturn:
        """Exits with 2."""
        text, following = f"{message[:1].upper()}{message[1:]}.", f"Try `{self.prog} -h` for help."
        if "--json" in sys.argv:
            problem = {"code": "usage", "message": text, "next": following}
            self.exit(USAGE, msgspec.json.format(msgspec.json.encode(problem)).decode() + "\n")
        self.exit(USAGE, f"error: {text}\nnext:  {following}\n")
