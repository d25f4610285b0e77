"""The gateway with a schedule of retries that a test can wait for."""

import os
from typing import Final

from gateway.server import serve
from gateway.settings import read_settings

SCHEDULE: Final = (0, 40, 60, 80, 100, 120, 140, 160, 180, 200)
"""As many attempts as ever, milliseconds apart."""


def main() -> None:
    """Serves until a signal."""
    serve(read_settings(os.environ), schedule=SCHEDULE)


if __name__ == "__main__":
    main()
