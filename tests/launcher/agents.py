"""Tiny programs that stand where execution.sh would."""

import sys

WAITS = (sys.executable, "-S", "-c", "import signal; signal.pause()")
"""Runs until it is killed."""

ENDS_WITH_7 = (sys.executable, "-S", "-c", "raise SystemExit(7)")

TELLS_ITS_ENVIRONMENT = (
    sys.executable,
    "-S",
    "-c",
    "import json, os; json.dump(dict(os.environ), open('environment.json', 'w'))",
)

DEAF = (
    sys.executable,
    "-S",
    "-c",
    "import signal, pathlib\n"
    "signal.signal(signal.SIGTERM, signal.SIG_IGN)\n"
    "pathlib.Path('deaf').touch()\n"
    "while True: signal.pause()",
)
"""Ends only by SIGKILL."""

HAS_GRANDCHILDREN = (
    sys.executable,
    "-S",
    "-c",
    "import os, signal, pathlib\n"
    "for leaves_the_session in (False, True):\n"
    "    if os.fork() == 0:\n"
    "        if leaves_the_session: os.setsid()\n"
    "        if os.fork() == 0:\n"
    "            pathlib.Path(f'grandchild-{leaves_the_session}').write_text(str(os.getpid()))\n"
    "            signal.pause()\n"
    "        os._exit(0)\n"
    "pathlib.Path('ready').touch()\n"
    "signal.pause()",
)
"""Two grandchildren whose parents are gone; one has a session of its own."""

LAST_WORD = (
    sys.executable,
    "-S",
    "-c",
    "import os, signal, pathlib\n"
    "spool = pathlib.Path(os.environ['SLIPGATE_STATE_DIR'], 'spool.jsonl')\n"
    "def end(number, frame):\n"
    '    spool.write_text(\'{"id":"last","timestamp":1,"signature":"v1,x","body":"e30="}\\n\')\n'
    "    raise SystemExit(0)\n"
    "signal.signal(signal.SIGTERM, end)\n"
    "pathlib.Path('ready').touch()\n"
    "while True: signal.pause()",
)
"""Writes a webhook to its spool when it is told to end."""
