"""The master keys that a store still needs, held against those that are given."""

from gateway.domain.kernel.errors import ApiError
from gateway.domain.kernel.keyring import Keyring
from gateway.store.protocol import OperationReads


async def check_master_keys(reads: OperationReads, keyring: Keyring) -> None:
    """Refuses a keyring that cannot open everything that lives: `missing_master_key`."""
    if all(key_id in keyring for key_id in await reads.master_keys()):
        return  # to count what needs each of them takes half a second with a million tasks
    missing = {
        key_id: counts
        for key_id, counts in (await reads.keys_needed()).items()
        if key_id not in keyring
    }
    if missing:
        listed = "; ".join(
            f"{key_id}: {', '.join(f'{count} {what}' for what, count in counts.items())}"
            for key_id, counts in missing.items()
        )
        raise ApiError(
            "missing_master_key",
            f"These master keys are still needed ({listed}).",
            hint="Give them in SLIPGATE_SECRET_KEYS, behind the current one. With both given, "
            "`slipgate keys rewrap` seals everything with the current one; only an attempt needs "
            "its own until it has ended.",
        )
