"""The place a gateway runs in: what a container or a platform does with its disk and its port."""

import re
from collections.abc import Iterator, Mapping
from ipaddress import ip_address, ip_network
from pathlib import Path
from typing import Final, NamedTuple

from gateway.domain.operations.status import Danger
from gateway.settings import Settings
from gateway.wire.environment import is_loopback

MOUNTS: Final = "proc/self/mountinfo"
CONTAINER_FILES: Final = (".dockerenv", "run/.containerenv")
"""Files that Docker and Podman make."""
PLATFORMS: Final = (
    *("FLY_APP_NAME", "RENDER", "RAILWAY_ENVIRONMENT_ID", "K_SERVICE"),
    "KUBERNETES_SERVICE_HOST",
)
"""A variable that each platform sets: Fly, Render, Railway, Cloud Run, Kubernetes."""
IN_MEMORY: Final = frozenset({"tmpfs", "ramfs"})
LAYERS: Final = frozenset({"overlay", "fuse-overlayfs", "aufs"})
"""File systems of a container's own layer."""
EMPTY_DIR: Final = "/kubernetes.io~empty-dir/"
ANONYMOUS_VOLUME: Final = re.compile(r"/volumes/[0-9a-f]{64}/_data(/|$)")
LOOPBACKS: Final = (ip_address("127.0.0.1"), ip_address("::1"))


class Mount(NamedTuple):
    """A mounted file system (proc(5), mountinfo)."""

    source: str
    """The folder of the file system that is mounted."""
    point: str
    kind: str


def dangers_of(settings: Settings, environ: Mapping[str, str], root: Path) -> Iterator[Danger]:
    """The dangers that can be seen; `root` is that of the file system."""
    if isinstance(settings.database, Path):
        yield from _of_disk(settings.database.resolve(), environ, root)
    yield from _of_address(settings, environ)


def _of_disk(database: Path, environ: Mapping[str, str], root: Path) -> Iterator[Danger]:
    mount = _mount_of(database, root / MOUNTS)
    lost = mount and _loss(mount, is_container=_is_container(environ, root))
    if lost:
        yield Danger(
            code="ephemeral_database",
            detail=f"{database} is in {lost}: all tasks are lost with it.",
            hint=f"Mount a volume at {database.parent}, or set SLIPGATE_DATABASE_URL to a file on "
            "one, or to a PostgreSQL database.",
        )


def _loss(mount: Mount, *, is_container: bool) -> str | None:
    """The thing that a file there does not survive; None: nothing we can see."""
    if mount.kind in IN_MEMORY:
        return "memory, which ends with the machine"
    if EMPTY_DIR in mount.source:
        return "an emptyDir, which ends with the pod"
    if ANONYMOUS_VOLUME.search(mount.source):
        return "a volume without a name, which no other container gets"
    if mount.point == "/" and (is_container or mount.kind in LAYERS):
        return "the container's own layer, which ends with the container"
    return None


def _mount_of(file: Path, mounts: Path) -> Mount | None:
    """The mount that a file is on: of those above it the longest, and of these the last."""
    try:
        lines = mounts.read_text().splitlines()
    except OSError:
        return None
    found = None
    for line in lines:
        fields, _, behind = line.partition(" - ")
        _id, _parent, _device, source, point, *_ = fields.split(" ")
        point = re.sub(r"\\([0-7]{3})", lambda octal: chr(int(octal[1], 8)), point)
        if file.is_relative_to(point) and (found is None or len(point) >= len(found.point)):
            found = Mount(source, point, behind.split(" ")[0])
    return found


def _is_container(environ: Mapping[str, str], root: Path) -> bool:
    return any(name in environ for name in PLATFORMS) or any(
        (root / file).exists() for file in CONTAINER_FILES
    )


def _of_address(settings: Settings, environ: Mapping[str, str]) -> Iterator[Danger]:
    url = settings.public_url
    by_port = bool(environ.get("PORT", "").strip()) and not environ.get("SLIPGATE_PORT", "").strip()
    is_public = url is not None and not is_loopback(url)
    has_proxy = any(
        own in ip_network(proxy, strict=False)
        for proxy in settings.trusted_proxies
        for own in LOOPBACKS
    )
    if is_loopback(f"http://{_in_url(settings.host)}") and (by_port or is_public) and not has_proxy:
        yield Danger(
            code="listens_on_loopback",
            detail=f"{'PORT' if by_port else 'SLIPGATE_PUBLIC_URL'} is set, but {settings.host} "
            "takes requests of this machine alone.",
            hint="Set SLIPGATE_HOST=0.0.0.0; if a proxy on this machine passes them on, "
            "SLIPGATE_TRUSTED_PROXIES=127.0.0.1.",
        )


def _in_url(host: str) -> str:
    return f"[{host}]" if ":" in host else host
