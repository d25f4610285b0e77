"""The TypeScript client compiles, and works against a real gateway."""

import subprocess
from collections.abc import Mapping
from pathlib import Path
from typing import Final

import httpx
import msgspec
import pytest

from gateway.cli.local.processes import wait_until_ready
from gateway.cli.operations.minting import mint
from gateway.web.operations.client import CLIENT
from tests.app.processes import gateway_process
from tests.docs.samples import in_language
from tests.interop.messages import VECTORS
from tests.interop.node import MODULES, NODE, environ

HERE: Final = Path(__file__).parent
COMPILER: Final = MODULES / "typescript" / "bin" / "tsc"
needs_compiler: Final = pytest.mark.skipif(
    NODE is None or not COMPILER.is_file(),
    reason="node and TypeScript are not here: `make test` fetches the compiler where npm is",
)
STRICT: Final = {
    "strict": True,
    "target": "ES2022",
    "module": "nodenext",
    "isolatedModules": True,
    "verbatimModuleSyntax": True,
    "erasableSyntaxOnly": True,  # Node, Deno and Bun remove the types without a compiler
    "exactOptionalPropertyTypes": True,
    "noImplicitOverride": True,
    "noImplicitReturns": True,
    "noPropertyAccessFromIndexSignature": True,
    "noUncheckedIndexedAccess": True,
    "noUnusedLocals": True,
    "noUnusedParameters": True,
    "skipLibCheck": True,  # of the packages
}
NODE_LIBRARY: Final = {"lib": ["ES2022"], "types": ["node"]}
BROWSER_LIBRARY: Final = {"lib": ["ES2022", "DOM"], "types": [], "target": "ES2017"}
"""The target is that of a new Next.js application."""


APPLICATION: Final = {
    **BROWSER_LIBRARY,
    "lib": ["ES2022", "DOM", "DOM.Iterable"],
    "types": ["node"],
    "module": "esnext",
    "moduleResolution": "bundler",
    "noEmit": True,
    "jsx": "preserve",
    "allowImportingTsExtensions": True,
    "noPropertyAccessFromIndexSignature": False,  # process.env.NAME, as everybody writes it
    "paths": {"@/*": ["./*"]},
}
NEXT: Final = """
declare module "next/server" { function after(work: () => unknown): void; }
declare module "react" {
  function useState<T>(first?: T): [T, (next: T | ((now: T) => T)) => void];
  function useEffect(effect: () => void | (() => void), of: unknown[]): void;
}
declare namespace JSX { interface IntrinsicElements { [name: string]: unknown; } }
"""
"""The parts of Next.js and React that the samples import."""


def compile_(folder: Path, library: Mapping[str, object], files: list[str]) -> None:
    """Compile TypeScript in this folder, into the same one."""
    settings = {"compilerOptions": {**STRICT, **library}, "files": files}
    (folder / "tsconfig.json").write_bytes(msgspec.json.encode(settings))
    (folder / "package.json").write_text('{"type": "module"}')
    done = subprocess.run(
        [NODE or "node", COMPILER], cwd=folder, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout


@pytest.fixture(scope="module")
def compiled(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the client and the programs beside this file as JavaScript."""
    folder = tmp_path_factory.mktemp("client")
    (folder / "node_modules").symlink_to(MODULES)
    programs = sorted(HERE.glob("*.ts"))
    for source in (CLIENT, *programs):
        (folder / source.name).write_bytes(source.read_bytes())
    compile_(folder, NODE_LIBRARY, [program.name for program in programs])
    return folder


@needs_compiler
def test_the_samples_of_the_pages_compile(tmp_path: Path) -> None:
    """As an application has them: the client in `lib`, imported by a path or by `@/lib`."""
    (tmp_path / "node_modules").symlink_to(MODULES)
    (tmp_path / "next.d.ts").write_text(NEXT)
    samples = {each.path: each.text for each in (*in_language("ts"), *in_language("tsx"))}
    assert None not in samples, "a sample names its file in its first line"
    for name, text in {**samples, "lib/slipgate.ts": CLIENT.read_text("utf-8")}.items():
        (tmp_path / str(name)).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / str(name)).write_text(text)
    compile_(tmp_path, APPLICATION, ["next.d.ts", *map(str, samples)])


def run(folder: Path, *arguments: str, **settings: str) -> "subprocess.Popen[str]":
    """A program of node in this folder."""
    return subprocess.Popen(
        [NODE or "node", *arguments],
        cwd=folder,
        env={**environ(), **settings},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )


def check(process: "subprocess.Popen[str]") -> str:
    """The rest of its output at its end, which is a good one."""
    assert process.stdout is not None
    with process.stdout as stdout:
        output = stdout.read()  # `communicate` would miss what was read ahead of a line
    assert process.wait(timeout=60) == 0, output
    return output


@needs_compiler
def test_it_compiles_strictly_without_node(tmp_path: Path) -> None:
    (tmp_path / CLIENT.name).write_bytes(CLIENT.read_bytes())
    compile_(tmp_path, BROWSER_LIBRARY, [CLIENT.name])


@needs_compiler
def test_streams_retries_and_webhooks_without_a_gateway(compiled: Path) -> None:
    check(run(compiled, "--test", "offline.test.js", VECTORS=str(VECTORS)))


@needs_compiler
@pytest.mark.parametrize(
    ("program", "scope"),
    [("calls", "tasks"), ("deliveries", "tasks"), ("operations", "ops")],
)
def test_it_works_against_a_gateway(
    compiled: Path, tmp_path: Path, program: str, scope: str
) -> None:
    allowed = {"SLIPGATE_ALLOW_PRIVATE_ENDPOINTS": "true"}
    with gateway_process(tmp_path, allowed) as (_, url, given):
        made = mint(given, scope, "default", "app")
        settings = {
            "SLIPGATE_URL": f"{url}/",
            "SLIPGATE_API_KEY": made.key,
            "SLIPGATE_WEBHOOK_SECRET": made.callback_secret or "",
        }
        assert check(run(compiled, "online.js", program, **settings)).endswith("done\n")


@needs_compiler
def test_a_stream_and_a_wait_go_on_after_a_restart_of_the_gateway(
    compiled: Path, tmp_path: Path
) -> None:
    with gateway_process(tmp_path) as (child, url, given):
        key = mint(given, "tasks", "default", "app").key
        settings = {"SLIPGATE_URL": url, "SLIPGATE_API_KEY": key}
        process = run(compiled, "online.js", "restart", **settings)
        assert process.stdout is not None
        task_id = process.stdout.readline().strip()
        child.kill()
        child.start()
        wait_until_ready(url, child)
        headers = {"authorization": f"Bearer {key}"}
        httpx.post(f"{url}/v1/tasks/{task_id}/cancel", headers=headers).raise_for_status()
        assert process.stdout.readline() == "cancelled\n"
        assert check(process) == "done\n"
