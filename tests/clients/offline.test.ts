// The client without a gateway: its parser of streams, retries, webhooks and handlers.
import assert from "node:assert/strict";
import { once } from "node:events";
import { readFileSync } from "node:fs";
import type { AddressInfo } from "node:net";
import { test } from "node:test";
import { createHmac } from "node:crypto";
import express from "express";
import { Hono } from "hono";
import {
  ConnectionError,
  CursorExpiredError,
  RateLimitedError,
  Slipgate,
  SlipgateError,
  UnexpectedResponseError,
  expressWebhookHandler,
  verifyWebhook,
  webhookHandler,
  type FlatCallback,
  type Page,
  type Task,
  type WebhookEvent,
} from "./slipgate.js";

type Answer = () => Response | Promise<Response>;
type Seen = { url: URL; headers: Headers };

/** A client whose requests are answered by these, one after the other. */
function scripted(answers: Answer[], options = {}): { slipgate: Slipgate; seen: Seen[] } {
  const seen: Seen[] = [];
  const fetch = async (input: unknown, init?: { headers?: unknown; signal?: AbortSignal | null }) => {
    seen.push({ url: new URL(String(input)), headers: new Headers(init?.headers as Record<string, string>) });
    const answer = answers.shift();
    assert.ok(answer, "one request more than answers");
    init?.signal?.throwIfAborted();
    const response = await answer();
    init?.signal?.addEventListener("abort", () => streams.get(response)?.error(new Error("aborted")));
    return response;
  };
  return { slipgate: new Slipgate({ url: "http://gate/", apiKey: "k", fetch: fetch as typeof globalThis.fetch, ...options }), seen };
}

const streams = new WeakMap<Response, ReadableStreamDefaultController<Uint8Array>>();

function streamed(text: string, { size = text.length, isOpen = false } = {}): Answer {
  return () => {
    const bytes = new TextEncoder().encode(text);
    let controller!: ReadableStreamDefaultController<Uint8Array>;
    const body = new ReadableStream<Uint8Array>({
      start: (given) => {
        controller = given;
        for (let i = 0; i < bytes.length; i += size) controller.enqueue(bytes.slice(i, i + size));
        if (!isOpen) controller.close();
      },
    });
    const response = new Response(body, { headers: { "content-type": "text/event-stream; charset=utf-8" } });
    streams.set(response, controller);
    return response;
  };
}

const json = (value: unknown, status = 200, headers = {}): Answer =>
  () => Response.json(value, { status, headers });
const problem = (status: number, code: string, headers = {}): Answer =>
  json({ type: "t", title: "t", status, code, detail: "What happened.", requestId: "r-1", hint: "The way out." }, status, headers);
const event = (seq: number) => `id: ${seq}\ndata: {"seq": ${seq}, "type": "task.progress", "ü": "✓"}\n\n`;

async function firstOf(slipgate: Slipgate, count: number, options = {}): Promise<number[]> {
  const found: number[] = [];
  for await (const each of slipgate.streamAll(options)) {
    if (found.push(each.seq) === count) break;
  }
  return found;
}

test("a stream is read in whichever pieces it comes", async () => {
  const text = `: ping\r\n\r\nretry: 100\r\nid: 7\r\ndata: {"seq":\r\ndata: 7}\r\n\r\n${event(8)}id:9\rdata:{"seq": 9}\r\rid: 10\ndata: {"seq": 10`;
  for (const size of [1, 2, 3, text.length]) {
    const { slipgate } = scripted([streamed(text, { size })]);
    assert.deepEqual(await firstOf(slipgate, 3), [7, 8, 9]);
  }
});

test("a stream that ends, breaks or falls silent goes on behind its last event", async () => {
  const { slipgate, seen } = scripted([
    streamed(event(1) + event(2)),
    problem(503, "unavailable", { "retry-after": "0" }),
    () => Promise.reject(new TypeError("fetch failed")),
    streamed(event(3) + "id: 4\nda", { isOpen: true }),
    streamed(event(4)),
  ]);
  assert.deepEqual(await firstOf(slipgate, 4, { heartbeatTimeout: 50, types: ["task.*", "ops.*"] }), [1, 2, 3, 4]);
  assert.deepEqual(seen.map(({ url }) => url.searchParams.get("after")), [null, "2", "2", "2", "3"]);
  assert.equal(seen[0]?.url.searchParams.get("types"), "task.*,ops.*");
});

test("a stream whose cursor has expired, or that never begins, fails", async () => {
  await assert.rejects(firstOf(scripted([problem(410, "cursor_expired")]).slipgate, 1, { after: 1 }), CursorExpiredError);
  const nobody = () => Promise.reject(new TypeError("fetch failed", { cause: new Error("connect ECONNREFUSED") }));
  const { slipgate } = scripted([nobody], { maxRetries: 0 });
  await assert.rejects(firstOf(slipgate, 1), (error: unknown) => {
    assert.ok(error instanceof ConnectionError && error.message.includes("ECONNREFUSED"));
    return true;
  });
});

test("a stream that is no stream of events fails", async () => {
  const html = () => new Response("<html>", { headers: { "content-type": "text/html" } });
  for (const answer of [html, streamed("data: {\n\n")])
    await assert.rejects(firstOf(scripted([answer]).slipgate, 1), UnexpectedResponseError);
});

test("a stream ends when its reader goes, by a break or a signal", async () => {
  const { slipgate } = scripted([streamed(event(1), { isOpen: true })]);
  const controller = new AbortController();
  const found = await slipgate.streamAll({ signal: controller.signal }).next();
  assert.equal(found.value?.seq, 1);
  const { slipgate: other } = scripted([streamed("", { isOpen: true })]);
  const next = other.streamAll({ signal: controller.signal }).next();
  controller.abort(new Error("the page was left"));
  await assert.rejects(next, /the page was left/);
});

test("a request is sent again under the same key while that may help", async () => {
  const { slipgate, seen } = scripted([
    problem(503, "unavailable", { "retry-after": "0" }),
    problem(429, "rate_limited", { "retry-after": "0" }),
    json({ id: "task_1" }, 202),
  ]);
  assert.equal((await slipgate.createTask({ repoUrl: "r", prompt: "p" })).id, "task_1");
  const keys = new Set(seen.map(({ headers }) => headers.get("idempotency-key")));
  assert.equal(keys.size, 1);
  assert.match([...keys][0] ?? "", /^[0-9a-f-]{36}$/);
});

test("an error is of the class of its code, and says what would be right", async () => {
  const { slipgate } = scripted([problem(429, "rate_limited", { "retry-after": "3600", "x-request-id": "r-1" })]);
  await assert.rejects(slipgate.getTask("task_1"), (error: unknown) => {
    assert.ok(error instanceof RateLimitedError && error instanceof SlipgateError);
    assert.deepEqual([error.name, error.status, error.code], ["RateLimitedError", 429, "rate_limited"]);
    assert.deepEqual([error.requestId, error.retryAfter, error.hint], ["r-1", 3_600_000, "The way out."]);
    assert.equal(error.message, "429 rate_limited: What happened. The way out.");
    return true;
  });
  const page = () => new Response("<html>Log in</html>", { headers: { "content-type": "text/html" } });
  await assert.rejects(scripted([page]).slipgate.status(), UnexpectedResponseError);
  const moved = () => new Response(null, { status: 308, headers: { location: "https://gate/" } });
  await assert.rejects(scripted([moved]).slipgate.status(), /It redirects to https:\/\/gate\//);
  await assert.rejects(new Slipgate({ url: "" }).status(), { code: "not_configured", message: /SLIPGATE_URL/ });
  await assert.rejects(new Slipgate({ url: "http://gate" }).status(), { message: /SLIPGATE_API_KEY/ });
  await assert.rejects(new Slipgate({ url: "localhost:8700" }).status(), { code: "not_configured", message: /"localhost:8700"/ });
});

test("a list is its first page, all its entries, or its pages", async () => {
  const pages = () => [json({ data: [{ id: "a" }], nextCursor: "2" }), json({ data: [], nextCursor: "3" }), json({ data: [{ id: "b" }], nextCursor: null })];
  const first: Page<Task> = await scripted(pages()).slipgate.tasks();
  assert.deepEqual(first, { data: [{ id: "a" }], nextCursor: "2" });
  const { slipgate, seen } = scripted(pages());
  const since = new Date(0);
  const all = slipgate.tasks({ status: ["queued", "running"], metadata: { userId: "u_1" }, createdAfter: since });
  assert.deepEqual((await all.toArray()).map(({ id }) => id), ["a", "b"]);
  assert.equal(
    seen[2]?.url.href,
    "http://gate/v1/tasks?status=queued%2Crunning&metadata.userId=u_1&createdAfter=1970-01-01T00%3A00%3A00.000Z&cursor=3",
  );
  const feed = scripted([json({ data: [{ seq: 1 }], nextCursor: "1" }), json({ data: [], nextCursor: "1" })]);
  assert.equal((await feed.slipgate.events().toArray()).length, 1);
});

test("a browser reads with a token, and gets a new one when it ends", async () => {
  const grant = { url: "https://gate/x/v1/tasks/task_1/events?token=one", token: "one", expiresAt: "", refreshAt: "" };
  const { seen, slipgate: inner } = scripted([problem(401, "token_expired"), json({ id: "task_1" })]);
  const options = (inner as unknown as { options: { fetch: typeof globalThis.fetch } }).options;
  const reader = new Slipgate({ ...options, token: grant, refreshToken: async () => ({ ...grant, token: "two" }) });
  await reader.getTask("task_1");
  assert.deepEqual(seen.map(({ url }) => url.searchParams.get("token")), ["one", "two"]);
  assert.deepEqual([...(seen[1]?.headers.keys() ?? [])], ["accept"]); // anything else would need a preflight
  const none = new Slipgate({ ...options, refreshToken: async () => ({ error: "log in" }) as unknown as string });
  await assert.rejects(none.getTask("task_1"), /no stream token/);
  const made = Slipgate.withToken(grant) as unknown as { options: { url: string } };
  assert.equal(made.options.url, "https://gate/x");
});

// ---- webhooks ----

const SECRET = "whsec_AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=";
const BODY = '{"type":"task.completed","timestamp":"2026-01-05T09:32:10.000Z","data":{"event":{"id":"evt_1"},"task":{"id":"task_ü","prUrl":"https://pr"}}}';

function signed(body = BODY, { secret = SECRET, id = "evt_1", seconds = Math.floor(Date.now() / 1000) } = {}) {
  const key = Buffer.from(secret.replace("whsec_", ""), "base64");
  const mac = createHmac("sha256", key).update(`${id}.${seconds}.${body}`).digest("base64");
  return { "webhook-id": id, "webhook-timestamp": String(seconds), "webhook-signature": `v1,${mac}` };
}

test("the published vectors are verified", async () => {
  const { messages } = JSON.parse(readFileSync(process.env["VECTORS"] ?? "", "utf8")) as {
    messages: { secret: string; id: string; timestamp: number; body: string; signature: string }[];
  };
  assert.ok(messages.length >= 2);
  for (const { secret, id, timestamp, body, signature } of messages) {
    const headers = { "Webhook-Id": id, "Webhook-Timestamp": [String(timestamp)], "webhook-signature": `v2,x ${signature}` };
    const verifying = verifyWebhook<unknown>(body, headers, secret, { tolerance: Infinity });
    if (isObject(body)) assert.deepEqual(await verifying, JSON.parse(body));
    else await assert.rejects(verifying, { name: "WebhookVerificationError", code: "invalid_json" });
  }
});

function isObject(text: string): boolean {
  try {
    return typeof JSON.parse(text) === "object";
  } catch {
    return false;
  }
}

test("a webhook is verified with any of the secrets, as text or bytes", async () => {
  const other = "whsec_b3RoZXIgc2VjcmV0IG9mIDMyIGJ5dGVzIGxlbmd0aC4=";
  for (const body of [BODY, Buffer.from(BODY), new TextEncoder().encode(BODY), new TextEncoder().encode(BODY).buffer]) {
    const event = await verifyWebhook(body, new Headers(signed()), body === BODY ? `${other}, ${SECRET}` : [other, SECRET]);
    if (event.type !== "task.completed") throw new Error("narrowed");
    assert.equal(event.data.task.prUrl, "https://pr");
  }
  const flat = await verifyWebhook<FlatCallback>('{"type":"pr.created","prUrl":"p"}', signed('{"type":"pr.created","prUrl":"p"}'), SECRET);
  assert.equal(flat.prUrl, "p");
});

test("what is not signed, altered, late or parsed is refused", async () => {
  const headers = signed();
  const mac = headers["webhook-signature"];
  const refusals: [string, Record<string, string>, string, string][] = [
    [BODY + " ", headers, SECRET, "invalid_signature"],
    [BODY, { ...headers, "webhook-id": "evt_2" }, SECRET, "invalid_signature"],
    [BODY, headers, "whsec_b3RoZXIgc2VjcmV0IG9mIDMyIGJ5dGVzIGxlbmd0aC4=", "invalid_signature"],
    [BODY, { ...headers, "webhook-signature": mac.slice(0, -2) }, SECRET, "invalid_signature"],
    [BODY, { ...headers, "webhook-signature": mac.replace("v1", "v2") }, SECRET, "malformed_headers"],
    [BODY, {}, SECRET, "malformed_headers"],
    [BODY, { ...headers, "webhook-timestamp": "1e9" }, SECRET, "malformed_headers"],
    [BODY, signed(BODY, { seconds: 1_700_000_000 }), SECRET, "timestamp_out_of_tolerance"],
    ["[", signed("["), SECRET, "invalid_json"],
  ];
  for (const [body, given, secret, code] of refusals) await assert.rejects(verifyWebhook(body, given, secret), { code });
  await assert.rejects(verifyWebhook(JSON.parse(BODY) as string, headers, SECRET), /raw body/);
  for (const secret of [undefined, "", " ", "whsec_", "hello", "not base64!"])
    await assert.rejects(verifyWebhook(BODY, headers, secret), { code: "not_configured" });
});

test("a handler answers 204, 401 and, where it fails, 500", async (context) => {
  context.mock.method(console, "error", () => undefined);
  const received: [WebhookEvent, boolean][] = [];
  const POST = webhookHandler({
    secret: SECRET,
    onEvent: (event, { id, isLate }) => {
      if (id === "evt_bad") throw new Error("the database is down");
      received.push([event, isLate]);
    },
  });
  const post = (headers: Record<string, string>) => POST(new Request("http://app/hook", { method: "POST", body: BODY, headers }));
  assert.equal((await post({ ...signed(), "slipgate-late": "true" })).status, 204);
  assert.equal((await post(signed(BODY, { id: "evt_bad" }))).status, 500);
  const refused = await post({});
  assert.deepEqual([refused.status, ((await refused.json()) as { code: string }).code], [401, "malformed_headers"]);
  assert.deepEqual(received.map(([event, isLate]) => [event.type, isLate]), [["task.completed", true]]);
  const unset = webhookHandler({ onEvent: () => undefined });
  const request = new Request("http://app", { method: "POST", body: BODY, headers: signed() });
  assert.match(await (await unset(request)).text(), /not_configured.*SLIPGATE_WEBHOOK_SECRET/);
  assert.match(await (await unset(request)).text(), /not_configured.*unread/);
});

test("express and hono take the handlers as they are", async () => {
  const received: string[] = [];
  const options = { secret: SECRET, onEvent: (event: WebhookEvent) => received.push(event.type) };
  const app = express();
  app.post("/plain", expressWebhookHandler(options));
  app.post("/raw", express.raw({ type: "*/*" }), expressWebhookHandler(options));
  const server = app.listen(0);
  await once(server, "listening");
  const { port } = server.address() as AddressInfo;
  const hono = new Hono();
  const handle = webhookHandler(options);
  hono.post("/hook", (c) => handle(c.req.raw));
  for (const path of ["plain", "raw"]) {
    const send = (headers: Record<string, string>) => fetch(`http://127.0.0.1:${port}/${path}`, { method: "POST", body: BODY, headers });
    assert.equal((await send({ ...signed(), "content-type": "application/json" })).status, 204);
    assert.equal((await send({ "content-type": "application/json" })).status, 401);
  }
  assert.equal((await hono.request("/hook", { method: "POST", body: BODY, headers: signed() })).status, 204);
  assert.deepEqual(received, ["task.completed", "task.completed", "task.completed"]);
  server.close();
});
