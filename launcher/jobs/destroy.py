"""destroy: stop everything, hand over the spool, then delete."""

from launcher.jobs.site import (
    Site,
    absent,
    check_labels,
    described,
    diagnosis,
    key_of,
)
from launcher.lease import Lease
from launcher.providers.protocol import Found, Provider


async def destroy(site: Site, lease: Lease) -> str:
    """Ends the job's sandbox; of one that is not there the gateway judges whether that is final."""
    provider = site.provider_of(lease.job)
    found = await provider.find(key_of(lease.job))
    if found is None:
        # A directory without its record is what a create that was cut short leaves behind.
        await provider.remove(key_of(lease.job))
        # Not `destroyed`: a create may still be under way, and the gateway alone knows how long.
        await site.client.done(lease.job, sandbox=absent(provider, lease.job, "gone"))
        return "gone"
    check_labels(lease.job, found)
    await provider.stop(found.key)
    return await _hand_over(site, lease, provider, found)


async def _hand_over(site: Site, lease: Lease, provider: Provider, found: Found) -> str:
    """Files go only after the gateway has the spool, and `destroyed` is said only after the files
    went: whatever a crash comes between, somebody is asked again.

    While the spool holds words the sandbox stays as it is; the gateway offers the job again at
    once, and it goes on from the offset reported here.
    """
    piece = await provider.read_spool(found.key, lease.job.spool_offset)
    told = diagnosis(piece.skipped)
    if piece.lines or piece.has_more:
        await site.client.done(
            lease.job,
            sandbox=described(provider, found),
            process=found.process,
            spool=piece.lines,
            spool_offset=piece.offset,
            diagnosis=told,
        )
        return "draining"
    await provider.remove(found.key)
    gone = described(provider, found, "destroyed")
    await site.client.done(lease.job, sandbox=gone, diagnosis=told)
    return "destroyed"
