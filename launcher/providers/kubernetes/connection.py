"""The way to a cluster's API server: that of the launcher's own pod, or that of a kubeconfig."""

import base64
import binascii
import ssl
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import httpx

from gateway.wire.authorities import with_trust
from launcher.egress import Egress
from launcher.providers.kubernetes.credentials import (
    BearerAuth,
    FixedToken,
    TokenFile,
    TokenSource,
    open_plugin,
)
from launcher.providers.kubernetes.errors import unusable
from launcher.providers.kubernetes.kubeconfig import Chosen, choose

SERVICE_ACCOUNT: Final = Path("/var/run/secrets/kubernetes.io/serviceaccount")
CONNECT_SECONDS: Final = 10.0
USER_AGENT: Final = "slipgate-launcher"


@dataclass(frozen=True, kw_only=True, slots=True)
class Connection:
    """An API server, how it proves itself, and how the launcher does."""

    server: str
    context: ssl.SSLContext
    auth: BearerAuth
    proxy: str | None = None
    server_name: str | None = None
    """In the server's certificate, if it is not the address's."""

    def client(self) -> httpx.AsyncClient:
        """A client that follows no redirect and reads no proxy variables."""
        return httpx.AsyncClient(
            base_url=self.server,
            auth=self.auth,
            verify=self.context,
            proxy=with_trust(self.proxy, self.context) if self.proxy else None,
            trust_env=False,
            timeout=CONNECT_SECONDS,
            headers={"accept": "application/json", "user-agent": USER_AGENT},
        )


def open_connection(
    environ: Mapping[str, str],
    *,
    context: str,
    egress: Egress,
    folder: Path,
    service_account: Path = SERVICE_ACCOUNT,
) -> Connection:
    """By `context` of the kubeconfig if it is named; else the cluster around this process, if
    there is one. `folder`: for private files. Raises `ProviderError`."""
    is_inside = "KUBERNETES_SERVICE_HOST" in environ and (service_account / "token").exists()
    if is_inside and not context and not environ.get("KUBECONFIG"):
        return _inside(environ, service_account)
    chosen = choose(environ.get("KUBECONFIG", ""), environ.get("HOME", ""), context)
    return _outside(chosen, environ, egress, folder)


def _inside(environ: Mapping[str, str], account: Path) -> Connection:
    host, port = environ["KUBERNETES_SERVICE_HOST"], environ.get("KUBERNETES_SERVICE_PORT", "443")
    return Connection(
        server=f"https://{f'[{host}]' if ':' in host else host}:{port}",
        context=_trust((account / "ca.crt").read_bytes()),
        auth=BearerAuth(TokenFile(account / "token")),
    )


def _outside(
    chosen: Chosen, environ: Mapping[str, str], egress: Egress, folder: Path
) -> Connection:
    cluster = chosen.cluster
    authority = _content(
        cluster.certificate_authority_data, cluster.certificate_authority, chosen.cluster_folder
    )
    tls = _trust(authority) if authority else egress.authorities.context()
    user = chosen.user
    certificate = _content(
        user.client_certificate_data, user.client_certificate, chosen.user_folder
    )
    if cluster.insecure_skip_tls_verify or certificate:
        tls = tls if authority else _trust(b"")
    if cluster.insecure_skip_tls_verify:
        tls.check_hostname, tls.verify_mode = False, ssl.CERT_NONE
    if certificate:
        key = _content(user.client_key_data, user.client_key, chosen.user_folder)
        _load_certificate(tls, certificate, key)
    return Connection(
        server=cluster.server.rstrip("/"),
        context=tls,
        auth=BearerAuth(_source(chosen, environ, folder, authority)),
        proxy=cluster.proxy_url or None,
        server_name=cluster.tls_server_name or None,
    )


def _source(
    chosen: Chosen, environ: Mapping[str, str], folder: Path, authority: bytes
) -> TokenSource:
    user, cluster = chosen.user, chosen.cluster
    if user.token_file:
        return TokenFile(chosen.user_folder / user.token_file)
    if user.exec is None:
        return FixedToken(user.token)
    described = {
        "server": cluster.server,
        "tls-server-name": cluster.tls_server_name,
        "insecure-skip-tls-verify": cluster.insecure_skip_tls_verify,
        "certificate-authority-data": base64.b64encode(authority).decode(),
        "proxy-url": cluster.proxy_url,
    }
    return open_plugin(
        user.exec,
        environ,
        kubeconfig_folder=chosen.user_folder,
        cluster={name: value for name, value in described.items() if value},
        folder=folder,
    )


def _trust(authority: bytes) -> ssl.SSLContext:
    """Trusts this authority alone; without one those of the system."""
    try:
        return ssl.create_default_context(cadata=authority.decode() or None)
    except (ssl.SSLError, UnicodeDecodeError, ValueError) as error:
        raise unusable("the certificate authority of the cluster is no PEM file") from error


def _content(text: str, path: str, folder: Path) -> bytes:
    """The decoded `…-data` of a kubeconfig, else the file that it names; empty for neither."""
    try:
        return base64.b64decode(text) if text else (folder / path).read_bytes() if path else b""
    except (OSError, binascii.Error) as error:
        raise unusable(f"{path or 'a certificate'} of the kubeconfig cannot be read") from error


def _load_certificate(context: ssl.SSLContext, certificate: bytes, key: bytes) -> None:
    """Python reads a certificate and its key from a file alone."""
    with tempfile.NamedTemporaryFile(prefix="slipgate-") as file:
        file.write(certificate + b"\n" + key)
        file.flush()
        try:
            context.load_cert_chain(file.name)
        except (ssl.SSLError, ValueError) as error:
            raise unusable("the client certificate of the kubeconfig is unusable") from error
