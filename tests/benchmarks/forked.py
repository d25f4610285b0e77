"""A program of the benchmark as a fork, where nobody asks how fast it is: in the tests."""

import os
import runpy
import sys


def main() -> None:
    """Runs what `-m` names; standard output has only the number of this process."""
    os.write(1, f"{os.getpid()}\n".encode())
    os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
    module = sys.argv[2]
    del sys.argv[1:3]
    runpy.run_module(module, run_name="__main__", alter_sys=True)
