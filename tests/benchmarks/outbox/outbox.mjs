// An outbox as many applications have one: a message is stored with Express and better-sqlite3, and a loop
// sends what is due, signed, and tries again later. One process, no order, no limits.
import { createHmac, randomUUID } from "node:crypto";
import Database from "better-sqlite3";
import express from "express";

const [file, port, receiver] = process.argv.slice(2);
const SECRET = Buffer.from("0123456789abcdef0123456789abcdef");
const RETRY_SECONDS = [5, 300, 1800, 7200, 18000, 36000, 50400, 72000, 86400];
const AT_ONCE = 64;

const db = new Database(file);
db.pragma("journal_mode = WAL");
db.pragma("synchronous = FULL");
db.exec(`CREATE TABLE IF NOT EXISTS messages (
  id TEXT PRIMARY KEY, body TEXT NOT NULL, due REAL, attempts INTEGER NOT NULL DEFAULT 0
) STRICT; CREATE INDEX IF NOT EXISTS due ON messages (due) WHERE due IS NOT NULL`);
const insert = db.prepare("INSERT INTO messages (id, body, due) VALUES (?, ?, ?)");
const next = db.prepare("SELECT id, body, attempts FROM messages WHERE due <= ? ORDER BY due LIMIT ?");
const note = db.prepare("UPDATE messages SET due = ?, attempts = attempts + 1 WHERE id = ?");
const sending = new Set();

async function send({ id, body, attempts }) {
  const timestamp = Math.floor(Date.now() / 1000);
  const signature = createHmac("sha256", SECRET).update(`${id}.${timestamp}.${body}`).digest("base64");
  const headers = {
    "content-type": "application/json",
    "webhook-id": id,
    "webhook-timestamp": String(timestamp),
    "webhook-signature": `v1,${signature}`,
  };
  const answer = await fetch(receiver, { method: "POST", body, headers, signal: AbortSignal.timeout(15000) })
    .then((response) => response.arrayBuffer().then(() => response.ok))
    .catch(() => false);
  const wait = RETRY_SECONDS[attempts];
  note.run(answer || wait === undefined ? null : Date.now() / 1000 + wait, id);
  sending.delete(id);
  wake();
}

function wake() {
  const free = AT_ONCE - sending.size;
  if (free <= 0) return;
  for (const message of next.all(Date.now() / 1000, free + sending.size)) {
    if (sending.size >= AT_ONCE) break;
    if (sending.has(message.id)) continue;
    sending.add(message.id);
    send(message);
  }
}

const app = express();
app.use(express.json({ limit: "256kb" }));
app.post("/messages", (request, response) => {
  const { type, data } = request.body ?? {};
  if (typeof type !== "string" || typeof data !== "object" || data === null)
    return response.status(422).json({ code: "invalid_request" });
  const id = `msg_${randomUUID()}`;
  insert.run(id, JSON.stringify({ type, timestamp: new Date().toISOString(), data }), Date.now() / 1000);
  setImmediate(wake);
  response.status(202).json({ id });
});
app.get("/readyz", (request, response) => response.status(200).end());
setInterval(wake, 1000);
app.listen(Number(port), "127.0.0.1");
