"""The code that the README tells people to paste."""

import re
from pathlib import Path
from typing import Final

FILE: Final = Path(__file__).resolve().parents[2] / "README.md"
_BLOCK: Final = re.compile(r"^```[a-z]+\n(?://|#) (\S+)[^\n]*\n.*?^```$", re.MULTILINE | re.DOTALL)


def pasted(name: str) -> str:
    """The block whose first line names this file."""
    found = [block for block in _BLOCK.finditer(FILE.read_text("utf-8")) if block[1] == name]
    assert len(found) == 1, f"{len(found)} blocks of the README are {name}"
    _, _, rest = found[0][0].partition("\n")
    return rest.removesuffix("```")
