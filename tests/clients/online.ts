// What the client does at a real gateway; each line of its output is one finding, in JSON.
import assert from "node:assert/strict";
import { once } from "node:events";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import {
  AlreadyFinishedError,
  AuthenticationError,
  ForbiddenError,
  InvalidRequestError,
  NotFoundError,
  Slipgate,
  WaitTimeoutError,
  expressWebhookHandler,
  webhookHandler,
  type Event,
  type FlatCallback,
  type OwnEvent,
  type WebhookEvent,
} from "./slipgate.js";

const slipgate = new Slipgate(); // SLIPGATE_URL, SLIPGATE_API_KEY
const TASK = { repoUrl: "https://github.com/acme/widgets", prompt: "Mend it" };

/** The first ten minutes of somebody who has read nothing. */
async function calls(): Promise<void> {
  const lost = lossy(1);
  const task = await lost.createTask({ ...TASK, metadata: { userId: "u_1" } }); // its first answer never arrives
  assert.equal((await slipgate.createTask(TASK, { idempotencyKey: "k" })).id, (await slipgate.createTask(TASK, { idempotencyKey: "k" })).id);
  const ids: string[] = [];
  for await (const each of slipgate.tasks({ status: "queued", limit: 1 })) ids.push(each.id);
  assert.equal(ids.length, 2);
  assert.deepEqual((await slipgate.tasks({ metadata: { userId: "u_1" } })).data.map(({ id }) => id), [task.id]);
  const whole = await slipgate.getTask(task.id, { include: ["attempts", "deliveries"] });
  assert.deepEqual([whole.attempts?.length, whole.deliveries], [1, []]);
  assert.match((await slipgate.explainTask(task.id)).summary, /launcher/);
  await assert.rejects(slipgate.waitFor(task.id, { timeout: 300 }), (error: unknown) => error instanceof WaitTimeoutError && error.task.id === task.id);
  const preview = await slipgate.bulk({ action: "cancel", filter: { metadata: { userId: "u_1" } }, reason: "a test", dryRun: true });
  assert.deepEqual(preview.sample, [task.id]);

  const grant = await slipgate.createStreamToken(task.id);
  const reader = Slipgate.withToken(grant, () => slipgate.createStreamToken(task.id));
  const types: string[] = [];
  const reading = (async () => {
    for await (const event of reader.stream(task.id)) types.push(event.type);
  })();
  const log = (async () => {
    for await (const piece of reader.followLogs(task.id)) types.push(piece.chunk);
  })();
  const waiting = slipgate.waitFor(task.id, { onEvent: (event) => types.push(`waited for ${event.type}`) });
  const started = await slipgate.bulk({ action: "cancel", filter: { metadata: { userId: "u_1" } }, reason: "a test" });
  assert.equal(started.matched, 1);
  assert.equal((await waiting).status, "cancelled");
  await Promise.all([reading, log]); // they end with the task
  assert.ok(types.includes("task.created") && types.at(-1) !== undefined && types.includes("waited for task.cancelled"));
  assert.equal(types.filter((type) => type === "task.cancelled").length, 1);
  assert.equal((await slipgate.waitFor(task.id)).status, "cancelled");
  for await (const event of slipgate.stream(task.id, { after: 0 })) assert.equal(event.taskId, task.id);
  assert.equal((await slipgate.taskEvents(task.id).toArray()).at(-1)?.type, "task.cancelled");
  assert.equal(await slipgate.logText(task.id), "");

  await assert.rejects(slipgate.cancelTask(task.id), AlreadyFinishedError);
  await assert.rejects(slipgate.getTask("task_none"), NotFoundError);
  await assert.rejects(slipgate.endpoints(), ForbiddenError);
  await assert.rejects(new Slipgate({ apiKey: "slip_tasks_x" }).tasks(), AuthenticationError);
  await assert.rejects(slipgate.createTask({ ...TASK, prompt: "" }), (error: unknown) => {
    assert.ok(error instanceof InvalidRequestError);
    assert.equal(error.errors[0]?.path, "$.prompt");
    assert.match(error.message, /\$\.prompt/);
    return true;
  });
}

/** A client that loses the first answers on their way. */
function lossy(count: number): Slipgate {
  const fetch = async (...given: Parameters<typeof globalThis.fetch>) => {
    const response = await globalThis.fetch(...given);
    if (count-- > 0) throw new TypeError("fetch failed");
    return response;
  };
  return new Slipgate({ fetch });
}

/** Operations of an installation, with a key of scope ops. */
async function operations(): Promise<void> {
  const endpoint = await slipgate.createEndpoint({ url: "http://127.0.0.1:9/hook", eventTypes: ["task.*"] });
  assert.match(endpoint.secret ?? "", /^whsec_/);
  const { secret, ...shown } = endpoint;
  assert.deepEqual(await slipgate.getEndpoint(endpoint.id), shown);
  assert.deepEqual(await slipgate.endpoints().toArray(), [shown]);
  assert.equal((await slipgate.testEndpoint(endpoint.id)).status, null);
  assert.notEqual((await slipgate.rotateEndpointSecret(endpoint.id)).secret, secret);
  assert.equal((await slipgate.updateEndpoint(endpoint.id, { description: "x" })).description, "x");
  assert.equal((await slipgate.disableEndpoint(endpoint.id, { reason: "a test" })).enabled, false);
  assert.equal((await slipgate.enableEndpoint(endpoint.id)).enabled, true);
  assert.equal((await slipgate.replayDeliveries(endpoint.id, { since: new Date(0), dryRun: true })).matched, 0);
  assert.deepEqual((await slipgate.deliveries({ endpointId: endpoint.id })).data, []);
  assert.equal((await slipgate.deleteEndpoint(endpoint.id, { reason: "over" })).deleted, true);
  const key = await slipgate.createKey({ scope: "read", name: "dashboard" });
  assert.equal((await slipgate.revokeKey(key.id)).id, key.id);
  assert.ok((await slipgate.keys().toArray()).some(({ id }) => id === key.id));
  const paused = await slipgate.setSwitches({ launching: "paused", reason: "a test" });
  assert.deepEqual(await slipgate.getSwitches(), paused);
  assert.equal((await slipgate.audit({ limit: 1 })).data.length, 1);
  assert.deepEqual((await slipgate.launchers()).data, []);
  assert.equal((await slipgate.status()).strip.queued, 0);
  assert.deepEqual((await slipgate.reconcile()).data, []);
  assert.match(await slipgate.metrics(), /slipgate_/);
}

/** A stream and a wait that go on while the gateway is killed and started again. */
async function restart(): Promise<void> {
  const task = await slipgate.createTask(TASK);
  const waiting = slipgate.waitFor(task.id);
  const numbers: number[] = [];
  for await (const event of slipgate.stream(task.id)) {
    numbers.push(event.taskSeq ?? 0);
    if (numbers.length === 1) console.log(task.id);
  }
  assert.deepEqual(numbers, [...numbers].sort((a, b) => a - b));
  assert.deepEqual(numbers, [...new Set(numbers)]);
  console.log((await waiting).status);
}

/** Real deliveries to the handlers of both kinds; the secret is in the environment. */
async function deliveries(): Promise<void> {
  const received: string[] = [];
  let isFailing = true;
  const options = {
    onEvent: (event: WebhookEvent) => {
      if (event.type === "task.cancelled" && (isFailing = !isFailing)) throw new Error("once more, please");
      received.push(event.type);
    },
  };
  const express = expressWebhookHandler(options);
  const next = webhookHandler(options);
  const flat: FlatCallback[] = [];
  const old = expressWebhookHandler<FlatCallback>({ onEvent: (event) => flat.push(event) });
  const server = createServer(async (request, response) => {
    if (request.url === "/express") return void express(request, response);
    if (request.url === "/flat") return void old(request, response);
    const chunks: Buffer[] = [];
    for await (const chunk of request) chunks.push(chunk as Buffer);
    const headers = Object.entries(request.headers).map(([name, text]): [string, string] => [name, String(text)]);
    const answer = await next(new Request("http://app/next", { method: "POST", headers, body: Buffer.concat(chunks) }));
    response.writeHead(answer.status).end(await answer.text());
  }).listen(0, "127.0.0.1");
  await once(server, "listening");
  const { port } = server.address() as AddressInfo;
  for (const path of ["express", "next"]) {
    const task = await slipgate.createTask({ ...TASK, callbackUrl: `http://127.0.0.1:${port}/${path}` });
    await slipgate.cancelTask(task.id);
  }
  const env = { AGENT_PROMPT: "Mend it", WEBHOOK_URL: `http://127.0.0.1:${port}/flat` };
  const workspace = await slipgate.createWorkspace({ repoUrl: TASK.repoUrl, env });
  await slipgate.cancelTask(workspace.id, { reason: "somebody else did" });
  const posted = { type: "invoice.paid", data: { amount: 3 }, customer: "acme" };
  assert.equal((await slipgate.postEvent(posted)).type, posted.type);
  for await (const event of slipgate.streamAll<Event | OwnEvent>({ types: ["invoice.*"] })) {
    const customer = "customer" in event ? event.customer : null;
    assert.deepEqual({ type: event.type, data: event.data, customer }, posted);
    break;
  }
  const isDone = () => received.filter((type) => type === "task.cancelled").length === 2 && flat.length > 0;
  while (!isDone()) await new Promise((done) => setTimeout(done, 50));
  assert.ok(received.includes("task.created"));
  assert.deepEqual([flat[0]?.type, flat[0]?.error, flat[0]?.workspaceId], ["task.failed", "cancelled", workspace.id]);
  server.close();
}

const programs: Record<string, () => Promise<void>> = { calls, deliveries, operations, restart };
await programs[process.argv[2] ?? ""]?.();
console.log("done");
process.exit(); // connections are kept open for a while
