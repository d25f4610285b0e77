#!/usr/bin/env bash
# The sandbox's entrypoint: checks that the runner can start, then becomes it. It runs again at
# every start of the sandbox; the runner goes on where the last start ended. In Daytona, where a
# launcher starts a stopped sandbox only to read it, it just reports what was left.
set -euo pipefail

here="$(cd -- "$(dirname -- "${BASH_SOURCE[0]}")" && pwd)"
python="${SLIPGATE_PYTHON:-python3}"
problems=()

command -v git >/dev/null || problems+=("git is not installed")
if ! command -v -- "$python" >/dev/null; then
  problems+=("$python is not installed (SLIPGATE_PYTHON names the interpreter)")
elif ! "$python" -I -c 'import sys; sys.exit(sys.version_info < (3, 11))'; then
  problems+=("$python is older than Python 3.11")
fi
for file in agent-runner.py runner/main.py; do
  [[ -f "$here/$file" ]] || problems+=("$here/$file is missing: this is not the slipgate snapshot")
done

if ((${#problems[@]})); then
  printf 'slipgate: %s\n' "${problems[@]}" >&2
  exit 2
fi
state="${SLIPGATE_STATE_DIR:-}"
if [[ -n "$state" && -f "$state/rescue" ]]; then
  # A launcher has put that file there, and asks for the work in a sandbox that has ended.
  exec "$python" -I "$here/agent-runner.py" --rescue "$state"
fi
exec "$python" -I "$here/agent-runner.py"
