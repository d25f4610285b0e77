"""Bringing home what an agent still has to say, before its sandbox goes."""

from typing import Final

from launcher.jobs.context import LauncherContext
from launcher.providers.protocol import Key, Provider, ProviderError, SpoolPiece

PAUSES_SECONDS: Final = (1.0, 3.0, 10.0)
"""Between tries: a sandbox that is busy answers later, one whose daemon is dead never does."""


async def read_final_spool(
    context: LauncherContext, provider: Provider, key: Key, offset: int
) -> tuple[SpoolPiece, str | None]:
    """Ends the agent and reads the next piece of its spool; nothing, and why, of a sandbox that
    cannot be asked. That is no reason to keep it: then nothing would ever be destroyed."""
    for pause in PAUSES_SECONDS:
        try:
            return await _asked(provider, key, offset), None
        except ProviderError as error:
            if not error.retryable:
                return _nothing(offset, error)
        await context.sleep(pause)
    try:
        return await _asked(provider, key, offset, is_last=True), None
    except ProviderError as error:
        return _nothing(offset, error)


async def _asked(provider: Provider, key: Key, offset: int, *, is_last: bool = False) -> SpoolPiece:
    """The spool is read also where the provider will not stop the sandbox."""
    try:
        await provider.stop(key)
    except ProviderError as error:
        if error.retryable and not is_last:
            raise
    return await provider.read_spool(key, offset)


def _nothing(offset: int, error: ProviderError) -> tuple[SpoolPiece, str]:
    piece = SpoolPiece(lines=(), offset=offset, has_more=False, skipped=0)
    return piece, f"its spool could not be read: {error.message}"
