"""The gateway with one commit per command: what sharing a transaction is measured against."""

import os

from gateway.server import serve
from gateway.settings import read_settings

if __name__ == "__main__":
    serve(read_settings(os.environ), max_batch=1)
