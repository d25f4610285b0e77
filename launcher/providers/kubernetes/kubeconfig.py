"""The kubeconfig, the file in which kubectl keeps its clusters; several are merged as by kubectl.

Source: kubernetes.io, "Organizing Cluster Access Using kubeconfig Files", and the reference of
`kubeconfig (v1)`.
"""

import os
from collections.abc import Iterable
from pathlib import Path
from typing import Final, TypeVar

import msgspec

from launcher.providers.kubernetes.errors import unusable

DEFAULT: Final = "~/.kube/config"

T = TypeVar("T")


class _Section(msgspec.Struct, frozen=True, kw_only=True, rename="kebab"):
    """Base of the sections; unknown fields are ignored."""


class Cluster(_Section, frozen=True, kw_only=True):
    server: str
    certificate_authority: str = ""
    certificate_authority_data: str = ""
    insecure_skip_tls_verify: bool = False
    tls_server_name: str = ""
    proxy_url: str = ""


class Variable(msgspec.Struct, frozen=True, kw_only=True):
    name: str
    value: str


class ExecPlugin(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """A program that prints a token."""

    api_version: str
    command: str
    args: tuple[str, ...] | None = None
    env: tuple[Variable, ...] | None = None
    provide_cluster_info: bool = False


class User(_Section, frozen=True, kw_only=True):
    token: str = ""
    token_file: str = msgspec.field(name="tokenFile", default="")
    client_certificate: str = ""
    client_certificate_data: str = ""
    client_key: str = ""
    client_key_data: str = ""
    exec: ExecPlugin | None = None


class Context(_Section, frozen=True, kw_only=True):
    cluster: str
    user: str = ""
    namespace: str = ""


class NamedCluster(_Section, frozen=True, kw_only=True):
    name: str
    cluster: Cluster


class NamedUser(_Section, frozen=True, kw_only=True):
    name: str
    user: User = User()


class NamedContext(_Section, frozen=True, kw_only=True):
    name: str
    context: Context


class KubeConfig(_Section, frozen=True, kw_only=True):
    """One file."""

    current_context: str = ""
    clusters: tuple[NamedCluster, ...] | None = None
    users: tuple[NamedUser, ...] | None = None
    contexts: tuple[NamedContext, ...] | None = None


class Chosen(msgspec.Struct, frozen=True, kw_only=True):
    """A context's cluster and user, whose paths are relative to `folder`."""

    cluster: Cluster
    user: User
    cluster_folder: Path
    user_folder: Path


def choose(paths: str, home: str, context: str = "") -> Chosen:
    """The context of this name, else the current one, in files that are separated as in PATH.
    Raises `ProviderError`."""
    named = [Path(path) for path in paths.split(os.pathsep) if path]
    files = named or [Path(DEFAULT.replace("~", home or "~", 1)).expanduser()]
    read = [(path.parent, _read(path)) for path in files if path.exists() or len(files) == 1]
    name = context or next((each.current_context for _, each in read if each.current_context), "")
    if not name:
        remedy = "name one in SLIPGATE_KUBERNETES_CONTEXT"
        raise unusable(f"the kubeconfig has no current context: {remedy}")
    contexts = [(f, e.name, e.context) for f, k in read for e in k.contexts or ()]
    found = _first(name, contexts)
    if found is None:
        known = ", ".join(each for _, each, _ in contexts) or "none"
        raise unusable(f"the kubeconfig has no context {name}; it has {known}")
    chosen = found[1]
    cluster = _first(
        chosen.cluster, ((f, e.name, e.cluster) for f, k in read for e in k.clusters or ())
    )
    user = _first(chosen.user, ((f, e.name, e.user) for f, k in read for e in k.users or ()))
    if cluster is None or (chosen.user and user is None):
        raise unusable(f"the kubeconfig's context {name} names a cluster or a user it has not")
    return Chosen(
        cluster=cluster[1],
        cluster_folder=cluster[0],
        user=user[1] if user else User(),
        user_folder=user[0] if user else cluster[0],
    )


def _first(name: str, entries: Iterable[tuple[Path, str, T]]) -> tuple[Path, T] | None:
    """The first file that sets a name decides."""
    return next(((folder, value) for folder, each, value in entries if each == name), None)


def _read(path: Path) -> KubeConfig:
    try:
        return msgspec.yaml.decode(path.read_bytes(), type=KubeConfig)
    except OSError as error:
        raise unusable(f"the kubeconfig {path} cannot be read: {error.strerror}") from error
    except (msgspec.MsgspecError, UnicodeDecodeError) as error:
        raise unusable(f"{path} is no kubeconfig") from error
