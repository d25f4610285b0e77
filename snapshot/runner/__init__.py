"""The program inside the sandbox: one task, one attempt, one key, next to untrusted code."""

import sys

# httpx's own command line, with click and rich, would be a third of our start. None in this table
# means that a module is absent, and httpx does without it, as where only httpx is installed.
sys.modules.setdefault("httpx._main", None)  # type: ignore[arg-type]
