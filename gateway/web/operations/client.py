"""`GET /client.ts`: the TypeScript client of this version, open to everybody."""

import hashlib
from functools import cache
from pathlib import Path
from typing import Final

from starlette.responses import Response

from gateway.web.http.access import OPEN
from gateway.web.http.call import Call
from gateway.web.http.operation import Answer, Content, Operation

CLIENT: Final = Path(__file__).parents[2] / "clients" / "slipgate.ts"
MEDIA_TYPE: Final = "text/typescript"
"""Not registered: the registered one of `.ts` is a video. Deno and editors know this one."""
_HEADERS: Final = ("ETag", "Access-Control-Allow-Origin", "X-Content-Type-Options")


@Operation(
    id="readClient",
    tag="Operations",
    summary="The TypeScript client of this version, one file",
    description="TypeScript source that needs nothing else, and fits the API of this gateway.",
    access=OPEN,
    answers=(
        Answer(
            meaning="The file: `curl -o slipgate.ts …/client.ts`, or an import of Deno.",
            content=(Content(kind=str, example="// slipgate.ts 0.1.0\n…", media_type=MEDIA_TYPE),),
            headers=_HEADERS,
        ),
        Answer(meaning="It is the one you have.", content=(), status=304, headers=_HEADERS),
    ),
)
async def typescript(call: Call[None]) -> Response:
    content, tag = _client()
    headers = {
        "Access-Control-Allow-Origin": "*",
        "Cache-Control": "no-cache",  # kept, and asked for again: an upgrade changes it
        "ETag": tag,
        "X-Content-Type-Options": "nosniff",
    }
    if tag in call.headers.get("if-none-match", ""):
        return Response(status_code=304, headers=headers)
    return Response(content, media_type=MEDIA_TYPE, headers=headers)


@cache
def _client() -> tuple[bytes, str]:
    """The file and its entity tag."""
    content = CLIENT.read_bytes()
    return content, f'"{hashlib.sha256(content).hexdigest()[:32]}"'
