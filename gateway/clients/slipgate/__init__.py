"""The Python client of slipgate: `from slipgate.client import Slipgate`."""

import gateway.wire  # noqa: F401 - before httpx, whose command line it leaves out: half of the import
