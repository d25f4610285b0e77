"""Commands in the containers of a sandbox, by WebSocket: read its spool, stop and rescue its agent.

A command is an argument list that the API server passes on as it is. Its scripts hold nothing of a
task: numbers come as arguments. Source of the protocol: kubernetes.io, enhancement 4006
(`v5.channel.k8s.io`): each message begins with the number of its stream.
"""

import asyncio
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from typing import Final, NamedTuple
from urllib.parse import urlencode

import msgspec
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import InvalidStatus, WebSocketException
from websockets.typing import Subprotocol

from gateway.wire.truncation import head_and_tail
from launcher.providers.kubernetes.api_client import KubernetesApi, read_error
from launcher.providers.kubernetes.errors import Status, unavailable
from launcher.providers.kubernetes.manifests import STATE
from launcher.providers.kubernetes.schema import AGENT, SIDECAR
from launcher.providers.protocol import STOP_SECONDS, SpoolPiece
from launcher.providers.spool import WINDOW_BYTES, read_window

EXEC_SECONDS: Final = 30.0
PROTOCOLS: Final = (Subprotocol("v5.channel.k8s.io"), Subprotocol("v4.channel.k8s.io"))
_STDOUT, _ERROR = 1, 3
_MESSAGE_BYTES: Final = 4 * 1024 * 1024
OUTPUT_BYTES: Final = WINDOW_BYTES + 1_000

# A spool that is a link, a pipe or a directory is none: the agent has replaced it.
_SPOOL: Final = (
    f"d={STATE}; s=$1; a=0; f=$d/spool.jsonl; n=$d/spool.acknowledged; "
    '[ -f "$n" ] && [ ! -L "$n" ] && a=$(head -c 19 "$n" | tr -cd 0-9); '
    'z=0; [ -f "$f" ] && [ ! -L "$f" ] && z=$(wc -c <"$f" | tr -cd 0-9); '
    'm=$s; [ "${a:-0}" -gt "$m" ] && m=$a; '
    'if [ "$m" -gt "$z" ]; then m=0; for o in "$s" "${a:-0}"; do '
    '[ "$o" -le "$z" ] && [ "$o" -gt "$m" ] && m=$o; done; fi; '
    'echo "$m"; [ "$z" -eq 0 ] || tail -c +$((m+1)) "$f" | head -c "$2"'
)
# The kernel lets no process of a container kill its first one, which forwards SIGTERM to the agent
# and ends once the agent has; the second signal reaches all others.
_STOP: Final = (
    'kill -TERM "$1" 2>/dev/null; i=0; '
    'while kill -0 "$1" 2>/dev/null && [ $i -lt "$3" ]; do sleep 0.1; i=$((i+1)); done; '
    'kill -KILL "$2" 2>/dev/null; exit 0'
)
FIRST: Final = "1"
ALL_OTHERS: Final = "-1"
_RESCUE: Final = 'exec "${SLIPGATE_PYTHON:-python3}" -I /app/agent-runner.py --rescue "$1"'

SPOOL_COMMAND: Final = ("sh", "-c", _SPOOL, "spool")
STOP_COMMAND: Final = (
    *("sh", "-c", _STOP, "stop"),
    *(FIRST, ALL_OTHERS, str(STOP_SECONDS * 10)),
)
RESCUE_COMMAND: Final = ("sh", "-c", _RESCUE, "rescue", STATE)


class Output(NamedTuple):
    """A piece of one stream."""

    stream: int
    content: bytes


async def read_spool(api: KubernetesApi, pod: str, offset: int) -> SpoolPiece:
    """A window of the spool from `offset` (bytes), or from what the gateway has since taken."""
    command = (*SPOOL_COMMAND, str(offset), str(WINDOW_BYTES))
    out = await _run(api, pod, SIDECAR, command, seconds=EXEC_SECONDS)
    head, _, window = out.partition(b"\n")
    if not head.isdigit():
        raise unavailable("the sandbox answered something else than its spool")
    return read_window(window, int(head), is_cut=len(window) >= WINDOW_BYTES)


async def stop_agent(api: KubernetesApi, pod: str) -> None:
    """Ends the agent's container, not the pod; the command ends with it."""
    await _run(api, pod, AGENT, STOP_COMMAND, seconds=STOP_SECONDS + EXEC_SECONDS)


async def rescue(api: KubernetesApi, pod: str) -> AsyncGenerator[bytes, None]:
    """Lines that the runner prints of what its agent left."""
    rest = b""
    async with _opened(api, pod, SIDECAR, RESCUE_COMMAND) as socket:
        async for output in _outputs(socket):
            if output.stream == _STDOUT:
                *lines, rest = (rest + output.content).split(b"\n")
                for line in lines:
                    yield line
    if rest:
        yield rest


async def _run(
    api: KubernetesApi, pod: str, container: str, command: tuple[str, ...], *, seconds: float
) -> bytes:
    """Its standard output, whatever its exit code."""
    out = bytearray()
    try:
        async with asyncio.timeout(seconds), _opened(api, pod, container, command) as socket:
            async for output in _outputs(socket):
                if output.stream == _STDOUT:
                    out += output.content[: OUTPUT_BYTES - len(out)]
    except TimeoutError as error:
        raise unavailable("a command in the sandbox took too long") from error
    return bytes(out)


@asynccontextmanager
async def _opened(
    api: KubernetesApi, pod: str, container: str, command: tuple[str, ...]
) -> AsyncGenerator[ClientConnection, None]:
    """A socket on which the command's output comes; raises `ProviderError`."""
    connection = api.connection
    streams = [("container", container), ("stdout", "true"), ("stderr", "true")]
    query = urlencode([*streams, *(("command", word) for word in command)])
    url = f"{connection.server.replace('http', 'ws', 1)}{api.path('pods', pod)}/exec?{query}"
    is_tls = url.startswith("wss:")
    try:
        async with connect(
            url,
            subprotocols=PROTOCOLS,
            additional_headers=await connection.auth.headers(),
            user_agent_header=None,
            ssl=connection.context if is_tls else None,
            server_hostname=connection.server_name if is_tls else None,
            proxy=connection.proxy,
            compression=None,
            max_size=_MESSAGE_BYTES,
            open_timeout=EXEC_SECONDS,
            ping_interval=None,
        ) as socket:
            yield socket
    except InvalidStatus as error:
        answer = error.response
        raise read_error(answer.status_code, bytes(answer.body or b""), answer.headers) from error
    except (OSError, WebSocketException) as error:
        raise unavailable(f"a command in the sandbox broke off ({type(error).__name__})") from error


async def _outputs(socket: ClientConnection) -> AsyncGenerator[Output, None]:
    """The output to the end of the command; raises `ProviderError` if it could not be run."""
    async for message in socket:
        content = message if isinstance(message, bytes) else message.encode()
        if not content:
            continue
        if content[0] == _ERROR:
            _check(content[1:])
            return
        yield Output(content[0], content[1:])
    raise unavailable("a command in the sandbox broke off")


class _Ended(Status, frozen=True, kw_only=True):
    status: str = ""


def _check(content: bytes) -> None:
    try:
        ended = msgspec.json.decode(content, type=_Ended)
    except msgspec.MsgspecError as error:
        raise unavailable("a command in the sandbox ended without a Status") from error
    if ended.status != "Success" and ended.reason != "NonZeroExitCode":
        # It repeats the whole command.
        reason = head_and_tail(ended.message, 300)
        raise unavailable(f"a command in the sandbox could not be run: {reason}")
