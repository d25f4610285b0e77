"""The launcher: pulls jobs from the gateway and makes, asks and ends sandboxes for them."""

import sys

# httpx's own command line, with click and rich, would be half of its import. None in this table
# means that a module is absent, and httpx does without it, as where only httpx is installed.
sys.modules.setdefault("httpx._main", None)  # type: ignore[arg-type]
