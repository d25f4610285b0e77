"""The TypeScript client in a page of another origin: it reads one task with a token."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Final
from urllib.parse import quote

import msgspec

from gateway.web.operations.client import CLIENT
from tests.browser.installation import Installation
from tests.browser.people import Person
from tests.interop.node import needs_node, project, run

pytestmark: Final = needs_node()
PAGE: Final = """\
<!doctype html><link rel="icon" href="data:,"><ol></ol><p></p>
<script type="module">
import { Slipgate } from "./client.js";
const { grant, id } = JSON.parse(decodeURIComponent(location.hash.slice(1)));
const reader = Slipgate.withToken(grant);
for await (const event of reader.stream(id)) {
  document.querySelector("ol").append(Object.assign(document.createElement("li"), {
    innerText: `${event.type} ${event.data.message ?? ""}`,
  }));
}
const task = await reader.waitFor(id);
document.querySelector("p").innerText = `${task.status}: ${await reader.logText(id)}`;
</script>
"""


class Quiet(SimpleHTTPRequestHandler):
    """Files of a folder, without a log."""

    def log_message(self, format: str, *args: object) -> None:
        """Nothing."""


@contextmanager
def served(folder: Path) -> Iterator[str]:
    """The address of a server of this folder."""
    handler = partial(Quiet, directory=str(folder))
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        threading.Thread(target=server.serve_forever).start()
        try:
            yield f"http://127.0.0.1:{server.server_port}"
        finally:
            server.shutdown()


def test_a_page_follows_a_task_to_its_end_through_a_restart(
    person: Person, running: Installation, tmp_path: Path
) -> None:
    script = run(project(tmp_path / "tools"), "strip.mjs", CLIENT.read_text("utf-8"))
    (tmp_path / "client.js").write_text(script)
    (tmp_path / "index.html").write_text(PAGE)
    task, agent = running.launch()
    grant = running.post(f"/v1/tasks/{task['id']}/stream-token", {}, "tasks")
    given = quote(msgspec.json.encode({"grant": grant, "id": task["id"]}))
    with served(tmp_path) as origin:
        person.chrome.get(f"{origin}/#{given}")
        person.waits_for("ol", "task.launched")
        running.restart()
        agent.emit("task.log", chunk="hello", offset=0)
        agent.emit("task.progress", stage="agent", message="after the kill")
        person.waits_for("ol", "after the kill")
        agent.emit("task.completed", summary="Added it", branchName="b", validation=[])
        person.waits_for("p", "completed: hello")
        assert person.find("ol").text.count("after the kill") == 1
