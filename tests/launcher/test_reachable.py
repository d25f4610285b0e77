"""A launcher of which each look at a spool costs a run starts only where none is asked for."""

from pathlib import Path

import pytest

from gateway.cli.keys import mint
from launcher.__main__ import DONE, FAILED, main
from tests.app.processes import gateway


@pytest.mark.parametrize("is_public", [True, False], ids=["public", "without a public URL"])
def test_github_actions_needs_a_gateway_that_sandboxes_can_call(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], is_public: bool
) -> None:
    with gateway(tmp_path, is_public=is_public) as (_, url, environ):
        code = main(
            ["--once"],
            {
                "SLIPGATE_URL": url,
                "SLIPGATE_API_KEY": mint(environ, "launcher", "default", "me").key,
                "SLIPGATE_PROVIDERS": "github-actions",
                "SLIPGATE_REALM": "ours",
                "SLIPGATE_GITHUB_ACTIONS_REPO": "acme/slipgate",
                "SLIPGATE_GITHUB_ACTIONS_TOKEN": "token",
            },
        )
    assert code == (DONE if is_public else FAILED)
    assert ("Set SLIPGATE_PUBLIC_URL" in capsys.readouterr().err) is not is_public
