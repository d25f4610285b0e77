"""The way to a cluster: kubeconfigs, tokens that change, certificates."""

import asyncio
import base64
import json
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import httpx
import msgspec
import pytest

from launcher.egress import DIRECT
from launcher.providers.kubernetes.connection import Connection, open_connection
from launcher.providers.protocol import ProviderError
from tests.kubernetes.cluster import TOKEN, opened
from tests.loops.tls import Authority

VERSION = "/version"


def write(path: Path, **fields: Any) -> Path:
    """A kubeconfig with one context, `one`."""
    whole: dict[str, Any] = {
        "current-context": "one",
        "clusters": [{"name": "here", "cluster": {"server": "http://127.0.0.1:9"}}],
        "users": [{"name": "me", "user": {"token": TOKEN}}],
        "contexts": [{"name": "one", "context": {"cluster": "here", "user": "me"}}],
    }
    path.write_bytes(msgspec.yaml.encode(whole | fields))
    return path


def user(**fields: Any) -> dict[str, Any]:
    return {"users": [{"name": "me", "user": fields}]}


def server(url: str, **fields: Any) -> dict[str, Any]:
    return {"clusters": [{"name": "here", "cluster": {"server": url, **fields}}]}


def connection(folder: Path, *files: Path, context: str = "", **environ: str) -> Connection:
    given = {"KUBECONFIG": ":".join(map(str, files)), "PATH": "/usr/bin:/bin", **environ}
    return open_connection(given, context=context, egress=DIRECT, folder=folder / "private")


async def status(made: Connection) -> int:
    """Of a question to the cluster."""
    async with made.client() as http:
        return (await http.get(VERSION)).status_code


async def test_an_exec_plugin_is_asked_again_once_its_token_is_refused(tmp_path: Path) -> None:
    (tmp_path / "plugin").write_text(f"""#!{sys.executable}
import json, os, pathlib, sys
calls = pathlib.Path({str(tmp_path)!r}, 'calls')
before = calls.read_text().splitlines() if calls.exists() else []
calls.write_text('\\n'.join([*before, json.dumps([sys.argv[1:], dict(os.environ)])]))
print(json.dumps({{'status': {{'token': f'token-{{len(before)}}'}}}}))
""")
    (tmp_path / "plugin").chmod(0o700)
    plugin = {
        "apiVersion": "client.authentication.k8s.io/v1",
        "command": "./plugin",
        "args": ["get-token"],
        "env": [{"name": "AWS_PROFILE", "value": "agents"}],
        "provideClusterInfo": True,
    }
    async with opened(tmp_path / "cluster") as cluster:
        file = write(tmp_path / "config", **server(cluster.url), **user(exec=plugin))
        made = connection(tmp_path, file, SLIPGATE_API_KEY="secret", AWS_REGION="eu")
        cluster.tokens = {"token-0"}
        assert [await status(made), await status(made)] == [200, 200]
        cluster.tokens = {"token-1"}
        assert await status(made) == 200
        cluster.tokens.clear()
        assert await status(made) == 401
    calls = [json.loads(line) for line in (tmp_path / "calls").read_text().splitlines()]
    assert [arguments for arguments, _ in calls] == [["get-token"]] * 3
    variables = calls[0][1]
    assert (variables["AWS_PROFILE"], variables["AWS_REGION"]) == ("agents", "eu")
    assert "SLIPGATE_API_KEY" not in variables
    info = json.loads(variables["KUBERNETES_EXEC_INFO"])
    assert info["spec"] == {"interactive": False, "cluster": {"server": cluster.url}}


async def test_a_token_file_is_read_for_every_request(tmp_path: Path) -> None:
    token = tmp_path / "token"
    async with opened(tmp_path / "cluster") as cluster:
        file = write(tmp_path / "config", **server(cluster.url), **user(tokenFile="token"))
        made = connection(tmp_path, file)
        for each in ("first", "second"):
            token.write_text(f"{each}\n")
            cluster.tokens = {each}
            assert await status(made) == 200
        token.unlink()
        with pytest.raises(ProviderError, match="cannot be read"):
            await status(made)


@asynccontextmanager
async def _https(authority: Authority, name: str) -> AsyncIterator[tuple[int, list[str]]]:
    """A server under this name: its port, and the heads of its requests."""
    heads: list[str] = []

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        heads.append((await reader.readuntil(b"\r\n\r\n")).decode())
        writer.write(b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\nconnection: close\r\n\r\n{}")
        await writer.drain()
        writer.close()

    context = authority.context(name)
    async with await asyncio.start_server(answer, "127.0.0.1", 0, ssl=context) as listening:
        yield listening.sockets[0].getsockname()[1], heads


async def test_a_pod_uses_its_service_account_and_trusts_its_cluster_alone(tmp_path: Path) -> None:
    authority, other = Authority(tmp_path / "ca"), Authority(tmp_path / "other")
    account = tmp_path / "account"
    account.mkdir()
    (account / "token").write_text("of the pod")
    (account / "ca.crt").write_text(authority.text)
    async with _https(authority, "127.0.0.1") as (port, heads):
        environ = {"KUBERNETES_SERVICE_HOST": "127.0.0.1", "KUBERNETES_SERVICE_PORT": str(port)}
        folder = tmp_path / "private"
        made = open_connection(
            environ, context="", egress=DIRECT, folder=folder, service_account=account
        )
        assert await status(made) == 200
        assert "authorization: Bearer of the pod" in heads[0]
        (account / "ca.crt").write_text(other.text)
        stranger = open_connection(
            environ, context="", egress=DIRECT, folder=folder, service_account=account
        )
        with pytest.raises(httpx.ConnectError, match="certificate"):
            await status(stranger)


async def test_a_server_may_prove_another_name_than_its_address(tmp_path: Path) -> None:
    authority = Authority(tmp_path / "ca")
    data = base64.b64encode(authority.text.encode()).decode()
    async with _https(authority, "kubernetes.default") as (port, _):
        url = f"https://127.0.0.1:{port}"
        trusted = {"certificate-authority-data": data}
        named = {**trusted, "tls-server-name": "kubernetes.default"}
        made = connection(tmp_path, write(tmp_path / "config", **server(url, **named)))
        assert made.server_name == "kubernetes.default"
        async with made.client() as http:
            extensions = {"sni_hostname": made.server_name}
            assert (await http.get(VERSION, extensions=extensions)).status_code == 200
        with pytest.raises(httpx.ConnectError, match="certificate"):
            await status(connection(tmp_path, write(tmp_path / "config", **server(url, **trusted))))


async def test_files_are_merged_as_by_kubectl(tmp_path: Path) -> None:
    async with opened(tmp_path / "cluster") as cluster:
        first = write(tmp_path / "a", clusters=None, users=None)
        second = write(tmp_path / "b", **server(cluster.url), contexts=[])
        assert await status(connection(tmp_path, first, tmp_path / "none", second)) == 200


OLD_PLUGIN = {"apiVersion": "client.authentication.k8s.io/v1alpha1", "command": "x"}
NO_PLUGIN = {"apiVersion": "client.authentication.k8s.io/v1", "command": "no-such-plugin"}


@pytest.mark.parametrize(
    ("fields", "context", "words"),
    [
        ({}, "other", "no context other; it has one"),
        ({"current-context": ""}, "", "SLIPGATE_KUBERNETES_CONTEXT"),
        ({"clusters": []}, "", "a cluster or a user it has not"),
        ({"clusters": 7}, "", "is no kubeconfig"),
        (user(exec=OLD_PLUGIN), "", "v1alpha1"),
        (user(exec=NO_PLUGIN), "", "no-such-plugin cannot be run"),
        (server("https://x", **{"certificate-authority": "none.crt"}), "", "none.crt"),
        (
            server("https://x", **{"certificate-authority-data": "AAAA"}),
            "",
            "certificate authority",
        ),
        (user(**{"client-certificate-data": "AAAA"}), "", "client certificate"),
    ],
)
async def test_a_kubeconfig_that_cannot_be_used_says_why(
    tmp_path: Path, fields: dict[str, Any], context: str, words: str
) -> None:
    file = write(tmp_path / "config", **fields)
    with pytest.raises(ProviderError, match=words) as failed:
        await connection(tmp_path, file, context=context).auth.headers()
    assert (failed.value.code, failed.value.retryable) == ("provider_auth", False)


async def test_no_kubeconfig_at_all_is_named(tmp_path: Path) -> None:
    with pytest.raises(ProviderError, match=r"\.kube/config cannot be read"):
        connection(tmp_path, HOME=str(tmp_path))
