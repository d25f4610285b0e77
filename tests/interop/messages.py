"""Messages that both sides of a signature have to agree on."""

import time
from pathlib import Path
from typing import Final

import msgspec
from hypothesis import strategies as st

from gateway.wire.signing import STANDARD, secret_bytes, secret_text, sign

VECTORS: Final = Path(__file__).resolve().parents[1] / "vectors" / "signing.json"
SECRET: Final = secret_text(bytes(range(32)))


class Message(msgspec.Struct, frozen=True, kw_only=True):
    """One message; in the file, with its signature."""

    secret: str
    id: str
    timestamp: int
    body: str
    signature: str = ""

    @property
    def signed(self) -> dict[str, str]:
        """Its headers, signed by us."""
        made = sign(secret_bytes(self.secret), self.id, self.timestamp, self.body.encode())
        return dict(zip(STANDARD, (self.id, str(self.timestamp), made), strict=True))


class _File(msgspec.Struct):
    messages: tuple[Message, ...]


def published() -> tuple[Message, ...]:
    """The messages of the vectors' file."""
    return msgspec.json.decode(VECTORS.read_bytes(), type=_File).messages


def fresh(body: str = '{"type":"task.completed","ü":"✓"}', message_id: str = "evt_1") -> Message:
    """One of this moment."""
    return Message(secret=SECRET, id=message_id, timestamp=int(time.time()), body=body)


MESSAGES: Final = st.builds(
    Message,
    secret=st.binary(min_size=24, max_size=64).map(secret_text),
    id=st.from_regex(r"[A-Za-z0-9_\-]{1,128}", fullmatch=True),
    timestamp=st.integers(0, 4_000_000_000),
    body=st.text(),
    signature=st.just(""),
)
