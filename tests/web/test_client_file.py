"""`GET /client.ts`: the TypeScript client as the gateway serves it."""

from importlib.metadata import version

from gateway.web.operations.client import CLIENT
from tests.web.callers import GatewayHarness


async def test_it_is_the_file_of_this_version_for_everybody(gateway: GatewayHarness) -> None:
    response = await gateway.http.get("/client.ts")
    assert response.status_code == 200
    assert response.content == CLIENT.read_bytes()
    assert response.text.startswith(f"// slipgate.ts {version('slipgate')}\n")
    assert response.headers["content-type"] == "text/typescript; charset=utf-8"
    assert response.headers["access-control-allow-origin"] == "*"


async def test_it_is_sent_once_to_who_keeps_it(gateway: GatewayHarness) -> None:
    tag = (await gateway.http.head("/client.ts")).headers["etag"]
    kept = await gateway.http.get("/client.ts", headers={"if-none-match": f'"x", W/{tag}'})
    assert (kept.status_code, kept.content, kept.headers["etag"]) == (304, b"", tag)
    other = await gateway.http.get("/client.ts", headers={"if-none-match": '"x"'})
    assert other.status_code == 200
