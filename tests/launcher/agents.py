"""Tiny programs in place of execution.sh."""

import sys


def program(text: str) -> tuple[str, ...]:
    """A command that runs a few lines of Python."""
    return (sys.executable, "-S", "-c", text)


WAITS = ("/bin/sleep", "1000000")
"""Runs until it is killed."""

ENDS_WITH_7 = ("/bin/sh", "-c", "exit 7")

TELLS_ITS_ENVIRONMENT = program(
    "import json, os; json.dump(dict(os.environ), open('environment.json', 'w'))"
)
"""Writes its environment to a file in its working directory; the job's is in its state
directory."""

DEAF = program("""
import pathlib, signal
signal.signal(signal.SIGTERM, signal.SIG_IGN)
pathlib.Path('deaf').touch()
while True: signal.pause()
""")
"""Ends only by SIGKILL."""

HAS_GRANDCHILDREN = program("""
import os, pathlib, signal
for leaves_the_session in (False, True):
    if os.fork() == 0:
        if leaves_the_session: os.setsid()
        if os.fork() == 0:
            pathlib.Path(f'grandchild-{leaves_the_session}').write_text(str(os.getpid()))
            signal.pause()
        os._exit(0)
signal.pause()
""")
"""Two grandchildren whose parents are gone; one has a session of its own."""

FINAL_EVENT = program("""
import os, pathlib, signal
spool = pathlib.Path(os.environ['SLIPGATE_STATE_DIR'], 'spool.jsonl')
def end(number, frame):
    spool.write_text('{"id":"last","timestamp":1,"signature":"v1,x","body":"e30="}\\n')
    raise SystemExit(0)
signal.signal(signal.SIGTERM, end)
pathlib.Path('ready').touch()
while True: signal.pause()
""")
"""Writes a webhook to its spool on SIGTERM."""
