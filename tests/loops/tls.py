"""Receivers that speak TLS under names of their own, and an authority that vouches for them."""

import asyncio
import ipaddress
import ssl
import subprocess
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

ANSWER = b"HTTP/1.1 204 No Content\r\n\r\n"
DAY = timedelta(days=1)


class Authority:
    """Issues certificates; `trusted` is a client that believes them and nobody else's."""

    def __init__(self, folder: Path) -> None:
        folder.mkdir(exist_ok=True)
        self._folder = folder
        self._key = ec.generate_private_key(ec.SECP256R1())
        self._name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "test authority")])
        self._own = _signed(
            x509.CertificateBuilder()
            .subject_name(self._name)
            .issuer_name(self._name)
            .public_key(self._key.public_key())
            .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True),
            self._key,
        )

    @property
    def text(self) -> str:
        """Its own certificate."""
        return self._own.public_bytes(serialization.Encoding.PEM).decode()

    def directory(self, folder: Path) -> Path:
        """A folder of its certificate, named by its hash as OpenSSL looks it up."""
        folder.mkdir()
        file = folder / "authority.pem"
        file.write_text(self.text)
        asked = ["openssl", "x509", "-hash", "-noout", "-in", str(file)]
        name = subprocess.run(asked, capture_output=True, check=True, text=True).stdout.strip()
        (folder / f"{name}.0").symlink_to(file)
        return folder

    def trusted(self) -> ssl.SSLContext:
        """The client's TLS context."""
        return ssl.create_default_context(cadata=self.text)

    def context(self, host: str) -> ssl.SSLContext:
        """The TLS context of the server of this host."""
        key = ec.generate_private_key(ec.SECP256R1())
        certificate = _signed(
            x509.CertificateBuilder()
            .subject_name(x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, host)]))
            .issuer_name(self._name)
            .public_key(key.public_key())
            .add_extension(x509.SubjectAlternativeName([_general_name(host)]), critical=False),
            self._key,
        )
        path = self._folder / f"{host}.pem"
        private = key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        )
        path.write_bytes(private + certificate.public_bytes(serialization.Encoding.PEM))
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(path)
        return context


@dataclass
class Hosts:
    """One listening address with several hosts behind it, told apart by the name in the
    handshake; notes for every connection the name it was opened for and the hosts it was
    asked for."""

    contexts: dict[str, ssl.SSLContext]
    connections: list[tuple[str | None, list[str]]] = field(default_factory=list)
    _names: list[str | None] = field(default_factory=list)
    _hearing: list[asyncio.Task[None]] = field(default_factory=list)

    @asynccontextmanager
    async def listening(self, address: str = "127.0.0.1", port: int = 0) -> AsyncIterator[int]:
        """The port; whoever connects to it hangs up before this ends."""
        first = next(iter(self.contexts.values()))
        first.sni_callback = self._choose
        server = await asyncio.start_server(self._take, address, port, ssl=first)
        async with server:
            yield server.sockets[0].getsockname()[1]
            await asyncio.gather(*self._hearing)

    def _choose(self, asked: ssl.SSLObject, name: str | None, _first: ssl.SSLContext) -> None:
        self._names.append(name)
        if name in self.contexts:
            asked.context = self.contexts[name]

    def _take(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._hearing.append(asyncio.ensure_future(self._handle(reader, writer)))

    async def _handle(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        hosts: list[str] = []
        self.connections.append((self._names.pop(0), hosts))
        try:
            while True:
                head = (await reader.readuntil(b"\r\n\r\n")).decode().lower()
                lines = dict(line.split(": ", 1) for line in head.split("\r\n")[1:] if line)
                await reader.readexactly(int(lines["content-length"]))
                hosts.append(lines["host"].partition(":")[0])
                writer.write(ANSWER)
                await writer.drain()
        except (asyncio.IncompleteReadError, ConnectionError):
            writer.close()


def _general_name(host: str) -> x509.GeneralName:
    try:
        return x509.IPAddress(ipaddress.ip_address(host))
    except ValueError:
        return x509.DNSName(host)


def _signed(builder: x509.CertificateBuilder, key: ec.EllipticCurvePrivateKey) -> x509.Certificate:
    now = datetime.now(UTC)
    return (
        builder.serial_number(x509.random_serial_number())
        .not_valid_before(now - DAY)
        .not_valid_after(now + DAY)
        .sign(key, hashes.SHA256())
    )
