// Serves a route handler as Next.js does, and runs server actions that come by name.
import { createServer } from "node:http";
import { Readable } from "node:stream";
import * as route from "./route.mjs";
import * as actions from "./actions.mjs";

async function answer(incoming, outgoing) {
  const request = new Request(`http://localhost${incoming.url}`, {
    method: incoming.method,
    headers: incoming.headers,
    body: Readable.toWeb(incoming),
    duplex: "half",
  });
  const [, kind, name] = incoming.url.split("/");
  if (kind === "actions") {
    outgoing.end(JSON.stringify(await actions[name](...(await request.json()))));
    return;
  }
  const response = await route[incoming.method](request);
  outgoing.writeHead(response.status, Object.fromEntries(response.headers));
  outgoing.end(await response.text());
}

const server = createServer((incoming, outgoing) => {
  answer(incoming, outgoing).catch((error) => {
    console.error(error);
    outgoing.writeHead(500).end(String(error));
  });
});
server.listen(Number(process.env.PORT), "127.0.0.1", () => console.log("listening"));
