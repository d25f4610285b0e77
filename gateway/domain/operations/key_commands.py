"""Commands about API keys; the API and the command line share them."""

from collections.abc import Mapping

from gateway.domain.kernel.answers import Answer
from gateway.domain.kernel.read_set import Command, ReadSet
from gateway.domain.kernel.sealing import Sealed
from gateway.domain.operations.api_key import ApiKey


class CreateKey(Command, frozen=True, kw_only=True):
    """`POST /v1/keys`, `slipgate keys create`."""

    key: ApiKey
    digest: bytes
    callback_secret: Sealed | None = None
    """For its project, if that has none yet; None for keys that create no tasks."""

    @property
    def needs(self) -> ReadSet:
        return ReadSet(api_keys=True)


class RevokeKey(Command, frozen=True, kw_only=True):
    """`POST …/revoke`, `slipgate keys revoke`."""

    key_id: str
    force: bool = False
    """True: also the last living `ops` key, by its own holder."""

    @property
    def needs(self) -> ReadSet:
        return ReadSet(api_keys=True)


class NoteKeyUses(Command, frozen=True, kw_only=True):
    """The last uses of keys (milliseconds), by id."""

    uses: Mapping[str, int]


class KeyReply(Answer, frozen=True, kw_only=True):
    """The key after the command."""

    key: ApiKey
    is_changed: bool = True
    """False: it had been revoked before."""
    opens_project: bool = False
    """True if the callback secret of the command is now that of the project."""
