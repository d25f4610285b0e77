// slipgate.ts 0.1.0
//
// The TypeScript client of slipgate, one file without dependencies: Node 20+, Bun, Deno, edge
// runtimes, and browsers for reading. A gateway serves the one of its own version:
//
//   curl -o lib/slipgate.ts $SLIPGATE_URL/client.ts
//
//   const slipgate = new Slipgate();              // SLIPGATE_URL and SLIPGATE_API_KEY, or { url, apiKey }
//   const task = await slipgate.createTask({ repoUrl, prompt });
//   for await (const event of slipgate.stream(task.id)) console.log(event.type);
//   const { status, prUrl } = await slipgate.waitFor(task.id);
//
//   export const POST = webhookHandler({ onEvent: async (event) => console.log(event.type) });
//
// Times in milliseconds, as in setTimeout; only the tolerance of a webhook is in seconds, as in its standard.

// ---- errors ----

/** Any error of this client. `code` is the gateway's own, or `connection_failed`, `timeout`, `unexpected_response`, `not_configured`. */
export class SlipgateError extends Error {
  /** The status of the answer; 0 without one. */
  readonly status: number;
  readonly code: ErrorCode | (string & {});
  /** To quote in a report; it stands in the gateway's log. */
  readonly requestId: string | null;
  /** The whole answer, if it was the gateway's. */
  readonly problem: ProblemDetails | null;
  /** Milliseconds after which the gateway wants to be asked again, if it said so. */
  readonly retryAfter: number | null;

  constructor(message: string, about: ErrorAbout = {}) {
    super(message, about.cause === undefined ? undefined : { cause: about.cause });
    this.name = new.target.name;
    this.status = about.status ?? 0;
    this.code = about.code ?? about.problem?.code ?? "unexpected_response";
    this.requestId = about.requestId ?? null;
    this.problem = about.problem ?? null;
    this.retryAfter = about.retryAfter ?? null;
  }

  /** The wrong fields of a refused request. */
  get errors(): readonly FieldError[] {
    return this.problem?.errors ?? [];
  }

  /** What would be right. */
  get hint(): string | null {
    return this.problem?.hint ?? null;
  }
}

export interface ErrorAbout {
  status?: number | undefined;
  code?: string | undefined;
  requestId?: string | null | undefined;
  problem?: ProblemDetails | null | undefined;
  retryAfter?: number | null | undefined;
  cause?: unknown;
}

type ErrorClass = new (message: string, about?: ErrorAbout) => SlipgateError;

/** A setting is missing or wrong: no address, no key, or a key in a browser. */
export class ConfigurationError extends SlipgateError {}
/** No answer: the network, the gateway's process, or a proxy. */
export class ConnectionError extends SlipgateError {}
/** No answer in time. */
export class TimeoutError extends ConnectionError {}
/** An answer that no gateway gives: another server has this address, or a proxy answered. */
export class UnexpectedResponseError extends SlipgateError {}
/** `waitFor` ran out of time; the task goes on, and `task` is how it was last seen. */
export class WaitTimeoutError extends SlipgateError {
  readonly task: Task;
  constructor(task: Task) {
    super(`${task.id} has not ended in time: it is ${task.status}.`, { code: "timeout" });
    this.task = task;
  }
}
/** A webhook that is not to be believed. `code`: `malformed_headers`, `timestamp_out_of_tolerance`, `invalid_signature`, `invalid_json`. */
export class WebhookVerificationError extends SlipgateError {}

/** 400, 413, 422 …: the request is wrong; `errors` names each wrong field. */
export class InvalidRequestError extends SlipgateError {}
/** 401: there is no valid key or token. */
export class AuthenticationError extends SlipgateError {}
/** 403: the key may not do this. */
export class PermissionError extends SlipgateError {}
/** 404: there is no such thing, or it belongs to another project. */
export class NotFoundError extends SlipgateError {}
/** 409: not in this state. */
export class ConflictError extends SlipgateError {}
/** 410: it was, and is no more. */
export class GoneError extends SlipgateError {}
/** 429: too much at once. */
export class RateLimitError extends SlipgateError {}
/** 5xx: the gateway's fault, or its provider's. */
export class ServerError extends SlipgateError {}
/** 503: nothing was stored; the same request may succeed later. */
export class UnavailableError extends ServerError {}

const BY_STATUS: Record<number, ErrorClass> = {
  401: AuthenticationError,
  403: PermissionError,
  404: NotFoundError,
  409: ConflictError,
  410: GoneError,
  429: RateLimitError,
  503: UnavailableError,
};

async function errorOf(response: Response): Promise<SlipgateError> {
  const text = await response.text().catch(() => "");
  const { status, headers } = response;
  const problem = parsed(text) as Partial<ProblemDetails> | undefined;
  const about = { status, requestId: headers.get("x-request-id"), retryAfter: retryAfter(headers.get("retry-after")) };
  if (!problem || typeof problem !== "object" || typeof problem.code !== "string") return unexpected(response, text, about);
  const detail = problem.detail ?? problem.title ?? "";
  const fields = (problem.errors ?? []).filter((each) => !detail.includes(each.message)).map((each) => `${each.path}: ${each.message}`);
  const message = [detail, fields.length ? `${fields.join("; ")}.` : "", problem.hint].filter(Boolean).join(" ");
  const known: Record<string, ErrorClass> = ERRORS;
  const kind = known[problem.code] ?? BY_STATUS[status] ?? (status >= 500 ? ServerError : InvalidRequestError);
  return new kind(`${status} ${problem.code}: ${message}`, { ...about, problem: problem as ProblemDetails });
}

function unexpected(response: Response, text: string, about: ErrorAbout): SlipgateError {
  const type = response.headers.get("content-type") ?? "no content type";
  const to = response.headers.get("location");
  const start = to ? `It redirects to ${to}` : text.replace(/\s+/g, " ").slice(0, 120);
  return new UnexpectedResponseError(
    `HTTP ${response.status}, ${type}: no answer of a gateway. Is SLIPGATE_URL its address? ${start}`.trim(),
    { ...about, status: response.status, code: "unexpected_response" },
  );
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

/** `Retry-After`, seconds or a date, in milliseconds. */
function retryAfter(text: string | null): number | null {
  if (!text) return null;
  const ms = /^\d+$/.test(text) ? Number(text) * 1000 : Date.parse(text) - Date.now();
  return Number.isNaN(ms) ? null : Math.max(ms, 0);
}

// ---- requests ----

export interface SlipgateOptions {
  /** The gateway's address. Default: `SLIPGATE_URL` of the environment. */
  url?: string | undefined;
  /** A key, of scope `tasks` for applications. Default: `SLIPGATE_API_KEY` of the environment. */
  apiKey?: string | undefined;
  /** A stream token in place of a key: reads of one task, for browsers. See `Slipgate.withToken`. */
  token?: StreamToken | string | undefined;
  /** Gets a new token when the one there is ends. */
  refreshToken?: (() => Promise<StreamToken | string>) | undefined;
  /** Further tries of a request that failed in passing. Default 3: about 4 s. */
  maxRetries?: number | undefined;
  /** Milliseconds for one try. Default 60 000. */
  timeout?: number | undefined;
  /** Another `fetch`, for proxies and tests. */
  fetch?: typeof globalThis.fetch | undefined;
  /** Sent with each request. */
  headers?: Record<string, string> | undefined;
  /** Whoever opens a page can read its keys: without this, a key in a browser is refused. */
  dangerouslyAllowBrowser?: boolean | undefined;
}

export interface CallOptions {
  signal?: AbortSignal | undefined;
  /** Milliseconds for one try. */
  timeout?: number | undefined;
  maxRetries?: number | undefined;
  /** The same key is the same request, answered once. Default: a new one for each call, the same for its tries. */
  idempotencyKey?: string | undefined;
  headers?: Record<string, string> | undefined;
}

export interface RequestOptions {
  query?: object | undefined;
  body?: unknown;
  accept?: string | undefined;
  /** The route takes an Idempotency-Key. */
  hasKey?: boolean | undefined;
  /** The same POST twice is as good as once, even without a key. */
  isSafe?: boolean | undefined;
}

/** A page of a list; `nextCursor` is null on the last one. */
export interface Page<T> {
  data: T[];
  nextCursor: string | null;
}

/** The entries of a list: `await` it for its first page, `for await` over all of them, or over `pages()`. */
export class List<T> implements Promise<Page<T>>, AsyncIterable<T> {
  readonly [Symbol.toStringTag] = "List";
  private readonly read: (cursor: string | null) => Promise<Page<T>>;
  private readonly isFeed: boolean;

  constructor(read: (cursor: string | null) => Promise<Page<T>>, isFeed: boolean) {
    this.read = read;
    this.isFeed = isFeed;
  }

  then<A = Page<T>, B = never>(
    done?: ((page: Page<T>) => A | PromiseLike<A>) | null,
    failed?: ((reason: unknown) => B | PromiseLike<B>) | null,
  ): Promise<A | B> {
    return this.read(null).then(done, failed);
  }

  catch<B = never>(failed?: ((reason: unknown) => B | PromiseLike<B>) | null): Promise<Page<T> | B> {
    return this.read(null).catch(failed);
  }

  finally(last?: (() => void) | null): Promise<Page<T>> {
    return this.read(null).finally(last);
  }

  async *pages(): AsyncGenerator<Page<T>, void, undefined> {
    let cursor: string | null = null;
    do {
      const page: Page<T> = await this.read(cursor);
      if (this.isFeed && page.data.length === 0) return; // a feed has always a next cursor
      yield page;
      cursor = page.nextCursor;
    } while (cursor !== null);
  }

  async *[Symbol.asyncIterator](): AsyncGenerator<T, void, undefined> {
    for await (const page of this.pages()) yield* page.data;
  }

  /** All entries, at the most `limit`. */
  async toArray(limit = 10_000): Promise<T[]> {
    const found: T[] = [];
    for await (const entry of this) {
      if (found.length >= limit) break;
      found.push(entry);
    }
    return found;
  }
}

const LONGEST_WAIT = 60_000;

class Transport {
  private readonly options: SlipgateOptions;
  private token: { text: string; refreshAt: number } | null = null;
  private refreshing: Promise<void> | null = null;

  constructor(options: SlipgateOptions = {}) {
    this.options = options;
    if (options.token !== undefined) this.useToken(options.token);
  }

  /** Any route: JSON becomes a value, all else a text. */
  request<T>(method: string, path: string, given: RequestOptions = {}, options: CallOptions = {}): Promise<T> {
    return this.send(method, path, given, options, async (response) => {
      const isJson = /\bjson\b/.test(response.headers.get("content-type") ?? "");
      return (isJson ? await response.json() : await response.text()) as T;
    });
  }

  protected call<T>(method: string, path: string, given: RequestOptions, options: CallOptions): Promise<T> {
    return this.send(method, path, given, options, async (response) => {
      const text = await response.text();
      const value = parsed(text);
      if (value === undefined) throw unexpected(response, text, {});
      return value as T;
    });
  }

  protected text(method: string, path: string, given: RequestOptions, options: CallOptions): Promise<string> {
    return this.send(method, path, { accept: "*/*", ...given }, options, (response) => response.text());
  }

  protected list<T>(path: string, query: object, options: CallOptions): List<T> {
    const read = (cursor: string | null) =>
      this.call<Page<T>>("GET", path, { query: cursor === null ? query : { ...query, cursor } }, options);
    return new List(read, false);
  }

  protected feed<T>(path: string, query: object, options: CallOptions): List<T> {
    const read = (after: string | null) =>
      this.call<Page<T>>("GET", path, { query: after === null ? query : { ...query, after } }, options);
    return new List(read, true);
  }

  /** One request with its retries; `read` takes the answer within the time of the try. */
  private async send<T>(
    method: string,
    path: string,
    given: RequestOptions,
    options: CallOptions,
    read: (response: Response) => Promise<T>,
  ): Promise<T> {
    const key = options.idempotencyKey ?? (given.hasKey ? crypto.randomUUID() : undefined);
    const isSafe = given.isSafe || method !== "POST" || key !== undefined;
    const most = options.maxRetries ?? this.options.maxRetries ?? 3;
    const milliseconds = options.timeout ?? this.options.timeout ?? 60_000;
    for (let tries = 0; ; tries++) {
      const limit = new TimeLimit(options.signal, milliseconds);
      try {
        return await read(await this.open(method, path, given, { ...options, idempotencyKey: key }, limit));
      } catch (cause) {
        const error = limit.explained(cause, this.address());
        if (tries >= most || !mayRepeat(error, isSafe)) throw error;
        await sleep(backoff(tries, error), options.signal);
      } finally {
        limit.clear();
      }
    }
  }

  /** The answer to one try; a refusal is thrown. A token that has just expired is replaced once. */
  protected async open(
    method: string,
    path: string,
    given: RequestOptions,
    options: CallOptions,
    limit: TimeLimit,
  ): Promise<Response> {
    for (let isAgain = false; ; isAgain = true) {
      const { url, headers } = await this.addressed(path, given, options);
      const body = given.body === undefined ? {} : { body: JSON.stringify(given.body) };
      const init = { method, headers, ...body, ...uncached(), redirect: "manual" as const, signal: limit.signal };
      const response = await (this.options.fetch ?? globalThis.fetch)(url, init);
      if (response.ok) return response;
      const error = await errorOf(response);
      if (!(error instanceof TokenExpiredError && this.options.refreshToken) || isAgain) throw error;
      await this.refresh();
    }
  }

  private async addressed(path: string, given: RequestOptions, options: CallOptions) {
    const base = this.address();
    if (!base) throw unconfigured("no address: pass { url } or set SLIPGATE_URL");
    const url = addressOf(base, path);
    for (const [name, value] of queryOf(given.query ?? {})) url.searchParams.append(name, value);
    const headers: Record<string, string> = { accept: given.accept ?? "application/json" };
    if (given.body !== undefined) headers["content-type"] = "application/json";
    if (this.token || this.options.refreshToken) {
      if (!this.token || (this.options.refreshToken && this.token.refreshAt <= Date.now())) await this.refresh();
      url.searchParams.set("token", this.token?.text ?? ""); // and no header that needs a preflight
    } else {
      headers["authorization"] = `Bearer ${this.key()}`;
      headers["user-agent"] = `slipgate-ts/${VERSION}`;
      if (options.idempotencyKey !== undefined) headers["idempotency-key"] = options.idempotencyKey;
    }
    return { url: url.href, headers: { ...headers, ...this.options.headers, ...options.headers } };
  }

  private address(): string {
    return this.options.url ?? environment("SLIPGATE_URL") ?? "";
  }

  private key(): string {
    const key = this.options.apiKey ?? environment("SLIPGATE_API_KEY");
    if (!key) throw unconfigured("no key: pass { apiKey } or set SLIPGATE_API_KEY");
    const isBrowser = "document" in globalThis && "window" in globalThis;
    if (isBrowser && !this.options.dangerouslyAllowBrowser)
      throw unconfigured("everybody can read an API key in a browser: give it a stream token, Slipgate.withToken()");
    return key;
  }

  private useToken(given: StreamToken | string): void {
    const { token: text, refreshAt } = typeof given === "string" ? { token: given, refreshAt: "" } : given;
    if (typeof text !== "string") throw new AuthenticationError("There is no stream token.", { code: "unauthorized" });
    const due = refreshAt ? Date.parse(refreshAt) : Infinity;
    this.token = { text, refreshAt: Math.max(due, Date.now() + 30_000) }; // a browser's clock may be wrong
  }

  private refresh(): Promise<void> {
    this.refreshing ??= (async () => this.options.refreshToken && this.useToken(await this.options.refreshToken()))()
      .then(() => undefined)
      .finally(() => (this.refreshing = null));
    return this.refreshing;
  }

  /** Events as they come, by server-sent events: after a broken connection it goes on where it was. */
  protected async *streamed<T>(path: string, query: object, options: StreamOptions): AsyncGenerator<T, void, undefined> {
    const { signal, heartbeatTimeout = 45_000 } = options;
    let after = options.after;
    let isOpen = false;
    for (let tries = 0; ; tries++) {
      const limit = new TimeLimit(signal, heartbeatTimeout);
      let failure: unknown;
      try {
        const given = { query: { ...query, after }, accept: "text/event-stream" };
        const response = await this.open("GET", path, given, options, limit);
        isOpen = true;
        for await (const message of messagesOf(response, () => limit.restart(heartbeatTimeout))) {
          tries = 0;
          after = message.id ?? after;
          const value = parsed(message.data);
          if (value === undefined) throw unexpected(response, message.data, {});
          yield value as T;
        }
      } catch (cause) {
        failure = limit.explained(cause, this.address());
        const most = options.maxRetries ?? this.options.maxRetries ?? 3;
        if (!mayRepeat(failure, true) || (!isOpen && tries >= most)) throw failure;
      } finally {
        limit.abort(); // the reader has gone, or a new connection follows
      }
      await sleep(backoff(tries, failure), signal);
    }
  }
}

/** An abort signal that follows the caller's, with a time limit of its own. */
class TimeLimit {
  private readonly controller = new AbortController();
  private readonly follow = () => {
    clearTimeout(this.timer);
    this.controller.abort(this.caller?.reason);
  };
  private readonly caller: AbortSignal | undefined;
  private timer: ReturnType<typeof setTimeout> | undefined;
  private isOver = false;

  constructor(caller: AbortSignal | undefined, milliseconds: number) {
    this.caller = caller;
    this.restart(milliseconds);
    if (caller?.aborted) this.follow();
    caller?.addEventListener("abort", this.follow);
  }

  get signal(): AbortSignal {
    return this.controller.signal;
  }

  restart(milliseconds: number): void {
    clearTimeout(this.timer);
    this.timer = setTimeout(() => {
      this.isOver = true;
      this.controller.abort();
    }, milliseconds);
  }

  clear(): void {
    clearTimeout(this.timer);
    this.caller?.removeEventListener("abort", this.follow);
  }

  abort(): void {
    this.clear();
    this.controller.abort();
  }

  /** The error to throw for one of `fetch`: the caller's own reason, a timeout, or a lost connection. */
  explained(cause: unknown, address: string): unknown {
    if (this.caller?.aborted) return this.caller.reason;
    if (this.isOver) return new TimeoutError("The gateway did not answer in time.", { code: "timeout", cause });
    if (cause instanceof SlipgateError) return cause;
    const reason = cause instanceof Error && cause.cause instanceof Error ? cause.cause : cause;
    const detail = reason instanceof Error ? reason.message || ((reason as { code?: string }).code ?? "") : String(reason);
    return new ConnectionError(`No connection to the gateway at ${new URL(address).origin}: ${detail}`, { code: "connection_failed", cause });
  }
}

/** True if the same request may succeed later; `isSafe`: it may be sent again though it may have been carried out. */
function mayRepeat(error: unknown, isSafe: boolean): boolean {
  if (!(error instanceof SlipgateError) || error instanceof ConfigurationError) return false;
  if ((error.retryAfter ?? 0) > LONGEST_WAIT) return false;
  if (error instanceof ConnectionError) return isSafe;
  const wasRefused = error instanceof RateLimitError || error instanceof UnavailableError;
  return wasRefused || (isSafe && (error.status >= 500 || error.status === 429 || error.status === 408));
}

/** Milliseconds: what the gateway asks for, else 0.5, 1, 2 … 8 s, with jitter. */
function backoff(tries: number, error: unknown): number {
  const asked = error instanceof SlipgateError ? error.retryAfter : null;
  return (asked ?? Math.min(500 * 2 ** tries, 8000)) * (1 + Math.random() * 0.25);
}

function sleep(milliseconds: number, signal?: AbortSignal): Promise<void> {
  return new Promise((resolve, reject) => {
    if (signal?.aborted) return reject(signal.reason);
    const stop = () => {
      clearTimeout(timer);
      reject(signal?.reason);
    };
    const timer = setTimeout(() => {
      signal?.removeEventListener("abort", stop);
      resolve();
    }, milliseconds);
    signal?.addEventListener("abort", stop, { once: true });
  });
}

function* queryOf(query: object, prefix = ""): Generator<[string, string]> {
  for (const [name, value] of Object.entries(query) as [string, unknown][]) {
    if (value === undefined || value === null) continue;
    if (Array.isArray(value)) yield [prefix + name, value.join(",")];
    else if (value instanceof Date) yield [prefix + name, value.toISOString()];
    else if (typeof value === "object") yield* queryOf(value, `${prefix}${name}.`);
    else yield [prefix + name, String(value)];
  }
}

function addressOf(base: string, path: string): URL {
  try {
    const url = new URL(base.replace(/\/+$/, "") + path);
    if (/^https?:$/.test(url.protocol)) return url;
  } catch {} // no URL either
  throw unconfigured(`${JSON.stringify(base)} is no address: it begins with https:// or http://`);
}

function segment(value: string | number): string {
  if (value === "" || value === undefined) throw new TypeError("An id is missing.");
  return encodeURIComponent(value);
}

function unconfigured(message: string): SlipgateError {
  return new ConfigurationError(`slipgate: ${message}.`, { code: "not_configured" });
}

/** A variable of the environment, where there is one. */
function environment(name: string): string | undefined {
  try {
    return (globalThis as { process?: { env?: Record<string, string | undefined> } }).process?.env?.[name] || undefined;
  } catch {
    return undefined; // Deno, if it may not be read
  }
}

let cacheOption: RequestInit | undefined;

/** Next.js keeps answers unless it is told otherwise; some edge runtimes refuse the option. */
function uncached(): RequestInit {
  if (!cacheOption) {
    try {
      cacheOption = { cache: "no-store" } as RequestInit;
      new Request("http://localhost", cacheOption);
    } catch {
      cacheOption = {};
    }
  }
  return cacheOption;
}

interface Message {
  id: string | undefined;
  data: string;
}

/** Server-sent events (WHATWG HTML, 9.2.6); `onBytes` is called for comments too, which keep a connection alive. */
async function* messagesOf(response: Response, onBytes: () => void): AsyncGenerator<Message, void, undefined> {
  if (!response.headers.get("content-type")?.startsWith("text/event-stream") || !response.body)
    throw unexpected(response, await response.text(), {});
  const reader = response.body.getReader();
  const decoder = new TextDecoder();
  let rest = "";
  let id: string | undefined;
  let data: string[] = [];
  try {
    for (;;) {
      const { done, value } = await reader.read();
      if (done) return; // an event without its blank line has not come whole
      onBytes();
      const lines = (rest + decoder.decode(value, { stream: true })).split(/\r\n|\n|\r(?=[^])/);
      rest = lines.pop() ?? "";
      for (const line of lines) {
        const [field, text] = fieldOf(line);
        if (field === "data") data.push(text);
        else if (field === "id") id = text;
        else if (line === "" && data.length) {
          yield { id, data: data.join("\n") };
          data = [];
        }
      }
    }
  } finally {
    await reader.cancel().catch(() => undefined);
  }
}

function fieldOf(line: string): [string, string] {
  const colon = line.indexOf(":");
  return colon < 0 ? [line, ""] : [line.slice(0, colon), line.slice(colon + 1).replace(/^ /, "")];
}

// ---- made from the OpenAPI document by `make clients` ----

export const VERSION = "0.1.0";

export type TaskStatus =
  | "queued" | "launching" | "running" | "completed" | "needs_review" | "failed" | "timed_out"
  | "cancelled" | "expired";

export type EventType =
  | "task.created" | "task.launching" | "task.launched" | "task.started" | "task.heartbeat"
  | "task.progress" | "task.log" | "task.patch" | "task.trajectory" | "task.usage" | "task.pr_created"
  | "task.completed" | "task.needs_review" | "task.failed" | "task.timed_out" | "task.cancelled"
  | "task.expired" | "task.cancel_requested" | "task.retried" | "task.stalled" | "task.recovered"
  | "task.pr_merged" | "task.pr_closed" | "task.purged" | "sandbox.trying" | "sandbox.created"
  | "sandbox.state" | "sandbox.destroyed" | "sandbox.released" | "endpoint.failing"
  | "endpoint.disabled" | "endpoint.recovered" | "ops.launcher_lost" | "ops.queue_old" | "ops.disk_low"
  | "ops.provider_down";

export type TaskEventType =
  | "task.created" | "task.launching" | "task.launched" | "task.started" | "task.heartbeat"
  | "task.progress" | "task.log" | "task.patch" | "task.trajectory" | "task.usage" | "task.pr_created"
  | "task.completed" | "task.needs_review" | "task.failed" | "task.timed_out" | "task.cancelled"
  | "task.expired" | "task.cancel_requested" | "task.retried" | "task.stalled" | "task.recovered"
  | "task.pr_merged" | "task.pr_closed" | "task.purged" | "sandbox.trying" | "sandbox.created"
  | "sandbox.state" | "sandbox.destroyed" | "sandbox.released";

export type EndpointEventType =
  | "endpoint.failing" | "endpoint.disabled" | "endpoint.recovered";

export type OpsEventType =
  | "ops.launcher_lost" | "ops.queue_old" | "ops.disk_low" | "ops.provider_down";

export type FlagCode =
  | "sandbox_unconfirmed" | "cleanup_pending" | "realm_missing" | "wrong_snapshot" | "unreachable"
  | "silent" | "no_progress" | "launch_slow" | "provider_down" | "no_launcher";

export type SandboxState =
  | "creating" | "started" | "stopped" | "error" | "gone" | "unknown" | "destroying" | "destroyed";

export type DeliveryStatus =
  | "pending" | "delivered" | "dead" | "superseded" | "held";

export type KeyScope =
  | "launcher" | "ops" | "read" | "tasks";

/** An error; `code` is stable, `hint` is the way out. */
export interface ProblemDetails {
  type: string;
  title: string;
  status: number;
  code: string;
  detail: string;
  requestId: string;
  hint?: string | null;
  errors?: FieldError[] | null;
  message?: string | null;
  error?: string | null;
}

/** A mistake in a request, with its JSON path. */
export interface FieldError {
  path: string;
  message: string;
}

/** `POST /v1/tasks`; the domain checks the rules of git and of the installation. */
export interface NewTask {
  repoUrl?: string | null | undefined;
  prompt: string;
  continueOf?: string | null | undefined;
  title?: string | null | undefined;
  baseBranch?: string | null | undefined;
  branchName?: string | null | undefined;
  snapshot?: string | null | undefined;
  provider?: string | null | undefined;
  agent?: NewAgent | undefined;
  validate?: string[][] | null | undefined;
  env?: Record<string, string> | undefined;
  timeouts?: Timeouts | undefined;
  maxAttempts?: number | undefined;
  onStall?: "fail" | "flag" | "retry" | undefined;
  priority?: number | undefined;
  notBefore?: string | Date | null | undefined;
  concurrencyKey?: string | null | undefined;
  keepSandbox?: boolean | undefined;
  callbackUrl?: string | null | undefined;
  metadata?: Record<string, string> | undefined;
}

/** The agent and its limits. */
export interface NewAgent {
  engine?: "claude-code" | "codex" | "command" | "mini" | "opencode" | undefined;
  modelProvider?: "anthropic" | "google" | "openai" | "openrouter" | undefined;
  model?: string | null | undefined;
  effort?: "high" | "low" | "medium" | null | undefined;
  maxTurns?: number | undefined;
  maxCostUsd?: number | null | undefined;
  maxRepairRounds?: number | undefined;
  command?: string[] | null | undefined;
}

/** Limits in seconds. */
export interface Timeouts {
  queueSeconds?: number | undefined;
  heartbeatSeconds?: number | undefined;
  runSeconds?: number | undefined;
}

/** The event, and the task when the webhook was written. */
export interface TaskWebhookData {
  event: Event;
  task: Task;
}

/** A task as every route shows it. */
export interface Task {
  id: string;
  project: string;
  status: TaskStatus;
  flag: Flag | null;
  attempt: number;
  maxAttempts: number;
  title: string;
  repoUrl: string;
  continueOf: string | null;
  baseBranch: string | null;
  branchName: string;
  prompt: string;
  agent: Agent;
  snapshot: string;
  provider: string | null;
  sandbox: Sandbox | null;
  stage: string | null;
  message: string | null;
  prUrl: string | null;
  commitSha: string | null;
  error: TaskError | null;
  usage: Usage;
  warnings: string[];
  cancelRequestedAt: string | null;
  createdAt: string;
  startedAt: string | null;
  finishedAt: string | null;
  updatedAt: string;
  purgedAt: string | null;
  nextDeadline: Deadline | null;
  taskSeq: number;
  metadata: Record<string, string>;
}

/** A problem of a task in its current state. */
export interface Flag {
  code: FlagCode;
  since: string;
  detail: string;
}

/** The agent and its limits, with defaults. */
export interface Agent {
  engine: string;
  modelProvider: string;
  model: string | null;
  effort: string | null;
  maxTurns: number;
  maxCostUsd: number;
  maxRepairRounds: number;
  command: string[] | null;
}

/** The sandbox of an attempt. */
export interface Sandbox {
  id: string | null;
  name: string;
  provider: string;
  snapshot: string | null;
  state: SandboxState;
}

/** The reason a task failed. */
export interface TaskError {
  stage: string;
  code: string;
  message: string;
  retryable: boolean;
}

/** Totals of the current attempt so far. */
export interface Usage {
  inputTokens: number;
  outputTokens: number;
  costUsd: number;
  turns: number;
}

/** The next clock that comes due, and its name. */
export interface Deadline {
  at: string;
  what: "queue" | "launch" | "heartbeat" | "progress" | "run" | "cancel" | "cleanup" | "no_launcher" | "drain";
}

/** A task with what `include` asked for. */
export interface TaskDetails extends Task {
  attempts?: Attempt[];
  deliveries?: Delivery[];
}

/** An attempt of a task; it may end without having been claimed. */
export interface Attempt {
  number: number;
  status: TaskStatus;
  provider: string | null;
  realm: string | null;
  sandbox: Sandbox | null;
  openedAt: string;
  claimedAt: string | null;
  startedAt: string | null;
  endedAt: string | null;
  launches: number;
  usage: Usage;
  error: TaskError | null;
}

/** An event for an endpoint, and its state. */
export interface Delivery {
  id: string;
  endpointId: string;
  eventId: string;
  taskId: string | null;
  type: EventType | (string & {});
  status: DeliveryStatus;
  reason: string | null;
  nextAttemptAt: string | null;
  attempts: DeliveryAttempt[];
}

/** One request to the endpoint, and its result. */
export interface DeliveryAttempt {
  at: string;
  trigger: "auto" | "manual" | "replay";
  status: number | null;
  reason: string | null;
  durationMs: number;
  keyId: string | null;
  responseBody: string | null;
}

/** The explanation of a task's state; the texts are for people and may change. */
export interface Explanation {
  status: string;
  summary: string;
  waitingFor: string | null;
  next: NextStep[];
  evidence: string[];
}

/** The next automatic step, unless something else happens first. */
export interface NextStep {
  at: string;
  what: string;
}

/** A change that can be tried dry; an empty body changes without a reason. */
export interface Change {
  reason?: string | null | undefined;
  dryRun?: boolean | undefined;
}

/** `POST …/attempts/{n}/release`: declares a sandbox gone that no launcher can confirm. */
export interface Release {
  reason: string;
  dryRun?: boolean | undefined;
}

/** `POST …/purge`: removes the contents of an ended task. */
export interface Purge {
  reason: string;
  dryRun?: boolean | undefined;
}

/** A piece of the log of one attempt. */
export interface LogChunk {
  attempt: number;
  offset: number;
  chunk: string;
  missing: number;
  at: string;
}

/** The receipts of an attempt; `signature` is that of its final event. */
export interface Receipts {
  data: Receipt[];
  signature: string | null;
  verified: boolean | null;
  attempt: number;
}

/** A command that validated the agent's changes, and how it ended. */
export interface Receipt {
  command: string;
  exitCode: number | null;
  seconds: number | null;
  status: string;
  reason: string | null;
  baseline: string | null;
  outputDigest: string | null;
  outputTail: string | null;
}

/** A short-lived token for a browser that reads one task; `url` is its event stream. */
export interface StreamToken {
  token: string;
  expiresAt: string;
  refreshAt: string;
  url: string;
}

/** `POST /v1/events`. */
export interface NewEvent {
  type: string;
  data: object;
  customer?: string | null | undefined;
  eventId?: string | null | undefined;
  orderingKey?: string | null | undefined;
}

/** An own event, stored with its deliveries. */
export interface PostedEvent {
  id: string;
  seq: number;
  type: string;
  at: string;
  customer: string | null;
  eventId: string | null;
  deliveries: number;
}

/** `POST /v1/events/batch`: all of them are taken, or none. */
export interface NewEvents {
  events: NewEvent[];
}

/** Own events, stored together. */
export interface PostedEvents {
  data: PostedEvent[];
}

/** A type of events. */
export interface EventTypeDefinition {
  name: string;
  description: string;
  schema: Record<string, unknown> | null;
  example: Record<string, unknown> | null;
  deprecated: boolean;
  builtIn: boolean;
  createdAt: string | null;
  updatedAt: string | null;
}

/** `PUT /v1/event-types/{name}`: the whole description of a type. */
export interface NewEventType {
  reason?: string | null | undefined;
  dryRun?: boolean | undefined;
  description: string;
  schema?: object | null | undefined;
  example?: object | null | undefined;
  deprecated?: boolean | undefined;
}

/** A type that the catalogue no longer has. */
export interface DeletedEventType {
  name: string;
  deleted: boolean;
}

/** A danger of the place that the gateway runs in, such as `ephemeral_database`. */
export interface Warning {
  code: string;
  detail: string;
  hint: string;
}

/** `POST /v1/endpoints`. */
export interface NewEndpoint {
  reason?: string | null | undefined;
  dryRun?: boolean | undefined;
  url: string;
  project?: string | undefined;
  eventTypes?: string[] | null | undefined;
  format?: "slack" | "standard" | undefined;
  customer?: string | null | undefined;
  description?: string | null | undefined;
  headers?: Record<string, string> | undefined;
  ratePerSecond?: number | null | undefined;
  secret?: string | null | undefined;
  metadata?: Record<string, string> | undefined;
}

/** The event, and the endpoint it is about; there is no task. */
export interface EndpointWebhookData {
  event: Event;
  endpoint: EndpointState;
}

/** An endpoint at the time it failed, was disabled, or recovered. */
export interface EndpointState {
  id: string;
  origin: string;
  implicit: boolean;
  enabled: boolean;
  reason: string | null;
  httpStatus: number | null;
  failingSince: string | null;
}

/** A new endpoint. */
export interface CreatedEndpoint extends Endpoint {
  secret: string | null;
}

/** An endpoint, without its secrets. */
export interface Endpoint {
  id: string;
  project: string;
  url: string;
  format: "slack" | "standard";
  implicit: boolean;
  description: string | null;
  customer: string | null;
  eventTypes: string[];
  enabled: boolean;
  disabledReason: string | null;
  failingSince: string | null;
  headers: string[];
  ratePerSecond: number | null;
  metadata: Record<string, string>;
  createdAt: string;
  updatedAt: string;
}

/** `PATCH /v1/endpoints/{id}`: absent fields stay unchanged. */
export interface EndpointChanges {
  reason?: string | null | undefined;
  dryRun?: boolean | undefined;
  url?: string | undefined;
  eventTypes?: string[] | null | undefined;
  description?: string | null | undefined;
  headers?: Record<string, string> | undefined;
  ratePerSecond?: number | null | undefined;
  metadata?: Record<string, string> | undefined;
}

/** The event, and its data once more. */
export interface OpsWebhookData {
  event: Event;
  state: "firing" | "resolved";
  since: string;
  summary: string;
  count: number;
  example: string | null;
  do: string | null;
}

/** A deleted endpoint. */
export interface DeletedEndpoint {
  id: string;
  deleted: boolean;
}

/** `POST …/enable`. */
export interface Enabling {
  reason?: string | null | undefined;
  dryRun?: boolean | undefined;
  backlog?: "dead" | "deliver" | undefined;
}

/** `POST …/rotate-secret`. */
export interface Rotation {
  reason?: string | null | undefined;
  dryRun?: boolean | undefined;
  overlapSeconds?: number | undefined;
}

/** A new secret. */
export interface Secret {
  keyId: string;
  secret: string | null;
}

/** `POST …/replay`: sends the deliveries of a period again, with the same bodies. */
export interface NewReplay {
  since: string | Date;
  until?: string | Date | null | undefined;
  onlyFailed?: boolean | undefined;
  reason?: string | null | undefined;
  dryRun?: boolean | undefined;
}

/** A job that sends deliveries again, and its progress. */
export interface Replay {
  id: string;
  endpointId: string;
  kind: string;
  status: string;
  since: string | null;
  until: string | null;
  onlyFailed: boolean;
  dryRun: boolean;
  matched: number;
  createdAt: string;
  updatedAt: string;
  finishedAt: string | null;
}

/** `POST /v1/portal-links`. */
export interface NewPortalLink {
  customer: string;
  expiresInSeconds?: number | undefined;
}

/** A link to the portal of one customer. */
export interface PortalLink {
  url: string;
  customer: string;
  expiresAt: string;
}

/** `POST /v1/portal-links/expire-all`. */
export interface ExpirePortalLinks {
  reason?: string | null | undefined;
  dryRun?: boolean | undefined;
  customer: string;
}

/** A customer whose links and sessions are ended; the next link works. */
export interface ExpiredPortalLinks {
  customer: string;
  expired: boolean;
}

/** `POST /workspace`. */
export interface NewWorkspace {
  repoUrl: string;
  snapshot?: string | null | undefined;
  branch?: string | null | undefined;
  env?: Record<string, string> | undefined;
}

/** `workspaceId` and `id` are the task's permanent id; `taskId` is the frontend's own. */
export interface CreatedWorkspace {
  workspaceId: string;
  id: string;
  status: "creating";
  snapshot: string;
  taskId: string;
}

/** A page of the list, and the cursor of the next one; None: there is none. */
export interface Workspaces {
  workspaces: ListedWorkspace[];
  nextCursor: string | null;
}

/** A workspace in a list. */
export interface ListedWorkspace {
  workspaceId: string;
  id: string;
  status: "creating" | "started" | "stopped" | "terminated";
  snapshot: string;
  taskId: string;
  createdAt: string;
}

/** The state of a workspace. */
export interface Workspace {
  workspaceId: string;
  status: "creating" | "started" | "stopped" | "terminated";
}

/** A launcher at its last call; one that has not called for a day is left out. */
export interface Launcher {
  id: string;
  providers: string[];
  project: string | null;
  capacity: number;
  version: string;
  lastCalledAt: string;
  live: boolean;
  jobs: HeldJob[];
  mode: "drained" | "revoked" | "working";
  modeSince: string | null;
  modeReason: string | null;
  modeActor: string | null;
}

/** A job under a lease. */
export interface HeldJob {
  id: string;
  kind: "create" | "destroy" | "inspect" | "sweep";
  taskId: string | null;
  attempt: number | null;
  leaseExpiresAt: string;
}

/** `POST /v1/launchers/{id}/drain`, `resume` or `revoke`. */
export interface LauncherOrder {
  reason: string;
  dryRun?: boolean | undefined;
}

/** The three switches of all projects, and what is paused for single ones. */
export interface Switches {
  data: Switch[];
}

/** A switch for all projects, or a project's own pause. */
export interface Switch {
  name: "delivering" | "intake" | "launching";
  state: "on" | "paused";
  project: string | null;
  since: string | null;
  until: string | null;
  reason: string | null;
  actor: string | null;
  provider: string | null;
  probeAt: string | null;
}

/** `PUT /v1/switches`: switches that are left out stay as they are. */
export interface SwitchChange {
  reason: string;
  dryRun?: boolean | undefined;
  intake?: "on" | "paused" | null | undefined;
  launching?: "on" | "paused" | null | undefined;
  delivering?: "on" | "paused" | null | undefined;
  project?: string | null | undefined;
  provider?: string | null | undefined;
  until?: string | Date | null | undefined;
}

/** All realms that are served. */
export interface Sweeps {
  data: Sweep[];
}

/** A realm, and the findings of its last sweep. */
export interface Sweep {
  provider: string;
  realm: string;
  project: string | null;
  live: boolean;
  sweptAt: string | null;
  nextAt: string | null;
  seen: number;
  unwanted: number;
  sandboxes: Unwanted[];
}

/** A sandbox with our label that no task wants. */
export interface Unwanted {
  id: string;
  name: string;
  state: string;
  taskId: string | null;
  attempt: number | null;
  createdAt: string | null;
  outcome: "destroying" | "ending" | "waiting";
  reason: string;
}

/** `POST /v1/keys`. */
export interface NewKey {
  reason?: string | null | undefined;
  dryRun?: boolean | undefined;
  scope: KeyScope;
  name: string;
  project?: string | undefined;
  expiresAt?: string | Date | null | undefined;
  allProjects?: boolean | undefined;
  rateLimit?: WantedRateLimit | undefined;
}

/** The limits of a new key; each gateway counts for itself. */
export interface WantedRateLimit {
  requestsPerSecond?: number | null | undefined;
  burst?: number | null | undefined;
  concurrent?: number | null | undefined;
}

/** A new key. */
export interface CreatedKey extends Key {
  key: string;
  callbackSecret: string | null;
}

/** The limits of a key; null: the defaults. */
export interface RateLimit {
  requestsPerSecond: number | null;
  burst: number | null;
  concurrent: number | null;
}

/** A key without the key itself. */
export interface Key {
  id: string;
  scope: KeyScope;
  project: string;
  name: string;
  allProjects: boolean;
  rateLimit: RateLimit;
  createdAt: string;
  expiresAt: string | null;
  revokedAt: string | null;
  lastUsedAt: string | null;
}

/** `POST /v1/keys/{id}/revoke`. */
export interface Revocation {
  reason?: string | null | undefined;
  dryRun?: boolean | undefined;
  force?: boolean | undefined;
}

/** One change that somebody asked for. */
export interface AuditEntry {
  id: number;
  at: string;
  actor: string;
  action: string;
  target: string;
  project: string | null;
  detail: Record<string, string | number | boolean | string[]>;
}

/** `POST /v1/bulk`. */
export interface NewBulk {
  action: "cancel" | "destroy" | "retry";
  filter: BulkFilter;
  reason: string;
  dryRun?: boolean | undefined;
}

/** Conditions as in `GET /v1/tasks`, all of which a task meets; at least one is needed. */
export interface BulkFilter {
  status?: TaskStatus[] | null | undefined;
  flag?: FlagCode | "any" | null | undefined;
  errorCode?: string | null | undefined;
  provider?: string | null | undefined;
  snapshot?: string | null | undefined;
  launcherId?: string | null | undefined;
  repoUrl?: string | null | undefined;
  project?: string | null | undefined;
  metadata?: Record<string, string> | undefined;
  createdAfter?: string | Date | null | undefined;
  createdBefore?: string | Date | null | undefined;
}

/** A bulk action with its failures. */
export interface BulkActionDetails extends BulkAction {
  failures: BulkFailure[];
}

/** A task that the action was refused for. */
export interface BulkFailure {
  taskId: string;
  code: string;
}

/** The tasks that match now; nothing was stored. */
export interface BulkPreview {
  action: "cancel" | "retry" | "destroy";
  matched: number;
  sample: string[];
}

/** A bulk action and its progress. */
export interface BulkAction {
  id: string;
  action: "cancel" | "retry" | "destroy";
  status: "running" | "done" | "aborted";
  project: string | null;
  filter: Record<string, unknown>;
  reason: string;
  actor: string;
  matched: number;
  done: number;
  failed: number;
  createdAt: string;
  updatedAt: string;
  finishedAt: string | null;
}

/** The state of an installation, or of one project of it. */
export interface Status {
  ok: boolean;
  since: string | null;
  problems: StatusProblem[];
  strip: StatusCounts;
  warnings: Warning[];
}

/** One cause of what is wrong, with all tasks, endpoints or deliveries that it concerns. */
export interface StatusProblem {
  code: string;
  count: number;
  since: string;
  summary: string;
  example: string | null;
  do: string;
}

/** The counts of this moment. */
export interface StatusCounts {
  queued: number;
  launching: number;
  running: number;
  endedLastHour: number;
  deliveriesDue: number;
  oldestDueSeconds: number;
  launchersLive: number;
  gatewaysLive: number;
}

/** Everything that is due at a moment, the longest due first; a dry run. */
export interface Reconcile {
  at: string;
  data: DryRunStep[];
  isWhole: boolean;
  nextDueAt: string | null;
  outageSince: string | null;
}

/** A due clock, and the changes that the reconciler would make. */
export interface DryRunStep {
  taskId: string | null;
  jobId: string | null;
  realm: string | null;
  status: string | null;
  due: Due[];
  nextStatus: string | null;
  nextDeadline: Deadline | null;
  events: DryRunEvent[];
  jobs: DryRunJob[];
}

/** An expired clock of a task, `lease` of a job, or `realm`. */
export interface Due {
  what: string;
  since: string;
}

/** An event that would be written. */
export interface DryRunEvent {
  taskId: string;
  attempt: number;
  type: string;
  data: Record<string, unknown>;
}

/** A job that would be opened or changed. */
export interface DryRunJob {
  id: string;
  kind: "create" | "destroy" | "inspect" | "sweep";
  state: string;
  notBefore: string;
}

interface EventFields {
  id: string;
  seq: number;
  at: string;
  applied: boolean;
  reason: string | null;
  source: "api" | "agent" | "launcher" | "gateway" | "github";
  actor: string | null;
}

export interface EventData {
  "task.created": Record<string, unknown>;
  "task.launching": Record<string, unknown>;
  "task.launched": Record<string, unknown>;
  "task.started": { warnings?: string[]; scriptDigest?: string | null; snapshot?: string | null; [field: string]: unknown };
  "task.heartbeat": Record<string, unknown>;
  "task.progress": { warnings?: string[]; stage?: string; message?: string; percent?: number | null; [field: string]: unknown };
  "task.log": { warnings?: string[]; offset?: number; chunk?: string; [field: string]: unknown };
  "task.patch": { warnings?: string[]; offset?: number; chunk?: string; encoding?: "gzip" | null; revision?: number; size?: number | null; partial?: boolean; baseSha?: string | null; summary?: string | null; [field: string]: unknown };
  "task.trajectory": { warnings?: string[]; offset?: number; chunk?: string; [field: string]: unknown };
  "task.usage": { warnings?: string[]; inputTokens?: number; outputTokens?: number; costUsd?: number; turns?: number; [field: string]: unknown };
  "task.pr_created": { warnings?: string[]; prUrl?: string; branchName?: string | null; commitSha?: string | null; draft?: boolean | null; [field: string]: unknown };
  "task.completed": { warnings?: string[]; prUrl?: string | null; branchName?: string | null; commitSha?: string | null; summary?: string | null; validation?: Receipt[]; receiptsSignature?: string | null; patch?: string | null; error?: Error | null; resumable?: boolean; [field: string]: unknown };
  "task.needs_review": { warnings?: string[]; prUrl?: string | null; branchName?: string | null; commitSha?: string | null; summary?: string | null; validation?: Receipt[]; receiptsSignature?: string | null; patch?: string | null; error?: Error | null; resumable?: boolean; [field: string]: unknown };
  "task.failed": { warnings?: string[]; error?: Error; logTail?: string | null; prUrl?: string | null; branchName?: string | null; commitSha?: string | null; summary?: string | null; patch?: string | null; resumable?: boolean; [field: string]: unknown };
  "task.timed_out": { warnings?: string[]; error?: Error; logTail?: string | null; prUrl?: string | null; branchName?: string | null; commitSha?: string | null; summary?: string | null; patch?: string | null; resumable?: boolean; [field: string]: unknown };
  "task.cancelled": { warnings?: string[]; error?: Error; logTail?: string | null; prUrl?: string | null; branchName?: string | null; commitSha?: string | null; summary?: string | null; patch?: string | null; resumable?: boolean; [field: string]: unknown };
  "task.expired": { warnings?: string[]; error?: Error; logTail?: string | null; prUrl?: string | null; branchName?: string | null; commitSha?: string | null; summary?: string | null; patch?: string | null; resumable?: boolean; [field: string]: unknown };
  "task.cancel_requested": Record<string, unknown>;
  "task.retried": Record<string, unknown>;
  "task.stalled": { code?: FlagCode; detail?: string; [field: string]: unknown };
  "task.recovered": { code?: FlagCode; [field: string]: unknown };
  "task.pr_merged": Record<string, unknown>;
  "task.pr_closed": Record<string, unknown>;
  "task.purged": Record<string, unknown>;
  "sandbox.trying": Record<string, unknown>;
  "sandbox.created": Record<string, unknown>;
  "sandbox.state": Record<string, unknown>;
  "sandbox.destroyed": Record<string, unknown>;
  "sandbox.released": Record<string, unknown>;
  "endpoint.failing": { endpoint?: EndpointState; [field: string]: unknown };
  "endpoint.disabled": { endpoint?: EndpointState; [field: string]: unknown };
  "endpoint.recovered": { endpoint?: EndpointState; [field: string]: unknown };
  "ops.launcher_lost": { state?: "firing" | "resolved"; since?: string; summary?: string; count?: number; example?: string | null; do?: string | null; [field: string]: unknown };
  "ops.queue_old": { state?: "firing" | "resolved"; since?: string; summary?: string; count?: number; example?: string | null; do?: string | null; [field: string]: unknown };
  "ops.disk_low": { state?: "firing" | "resolved"; since?: string; summary?: string; count?: number; example?: string | null; do?: string | null; [field: string]: unknown };
  "ops.provider_down": { state?: "firing" | "resolved"; since?: string; summary?: string; count?: number; example?: string | null; do?: string | null; [field: string]: unknown };
}

/** An event. Told apart by `type`, which says what `data` holds. */
export type Event<T extends EventType = EventType> = T extends EventType
  ? EventFields & { type: T; data: EventData[T] } & (T extends TaskEventType
        ? { taskId: string; taskSeq: number; attempt: number }
        : { taskId: null; taskSeq: null; attempt: null })
  : never;

/** The body of a webhook that slipgate sends. */
export type TaskWebhook<T extends TaskEventType = TaskEventType> = T extends TaskEventType
  ? { type: T; timestamp: string; data: { event: Event<T>; task: Task } }
  : never;

/** The body of a webhook about another endpoint of the project. */
export type EndpointWebhook<T extends EndpointEventType = EndpointEventType> = T extends EndpointEventType
  ? { type: T; timestamp: string; data: { event: Event<T>; endpoint: EndpointState } }
  : never;

/** The body of a webhook about the whole installation. */
export type OpsWebhook<T extends OpsEventType = OpsEventType> = T extends OpsEventType
  ? { type: T; timestamp: string; data: Omit<OpsWebhookData, "event"> & { event: Event<T> } }
  : never;

export interface TasksQuery {
  /** Only tasks of this project; any but the key's own needs `ops`. */
  project?: string | undefined;
  /** Only tasks in one of these states. */
  status?: TaskStatus | TaskStatus[] | undefined;
  /** Only tasks that carry this flag, be it the one that is shown or not; or any. */
  flag?: FlagCode | "any" | undefined;
  /** Only tasks whose `error.code` is this. */
  errorCode?: string | undefined;
  /** Only tasks with a sandbox at this provider, or that name it. */
  provider?: string | undefined;
  /** Only tasks that ask for this snapshot. */
  snapshot?: string | undefined;
  /** Only tasks whose current attempt this launcher took last. */
  launcherId?: string | undefined;
  /** Only tasks of this repository, written as they named it. Alone it searches from the newest task on and may answer less than `limit`, or nothing, with a `nextCursor`. */
  repoUrl?: string | undefined;
  /** Only tasks whose metadata have this value; several. */
  metadata?: Record<string, string> | undefined;
  /** Only tasks created after this moment. */
  createdAfter?: string | Date | undefined;
  /** Only tasks created before this moment. */
  createdBefore?: string | Date | undefined;
  /** The most entries of one page. */
  limit?: number | undefined;
  /** `nextCursor` of the page before, unchanged and with the same filters. */
  cursor?: string | undefined;
}

export interface GetTaskQuery {
  /** What to add: all attempts; the 200 newest deliveries. */
  include?: "attempts" | "deliveries" | ("attempts" | "deliveries")[] | undefined;
}

export interface TaskEventsQuery {
  /** Only what came behind this number; without it, from the oldest event that is kept. */
  after?: number | string | undefined;
  /** The most entries of one page. */
  limit?: number | undefined;
  /** Seconds to wait if there is nothing yet. */
  wait?: number | undefined;
}

export interface LogsQuery {
  /** `nextCursor` of the page before. */
  after?: number | string | undefined;
}

export interface PatchQuery {
  /** Of this attempt; without it, of the newest one of which a whole patch is kept. */
  attempt?: number | undefined;
}

export interface ReceiptsQuery {
  /** Of this attempt; without it, of the newest one that has any. */
  attempt?: number | undefined;
}

export interface TrajectoryQuery {
  /** Of this attempt; without it, of the newest one that has sent any of it. */
  attempt?: number | undefined;
}

export interface EventsQuery {
  /** Only what came behind this number; without it, from the oldest event that is kept. */
  after?: number | string | undefined;
  /** Only events of these types, ours (`task.*`) and your own (`invoice.paid`, `invoice.*`); without it, all that are of tasks. */
  types?: EventType | "*" | "task.*" | "sandbox.*" | "endpoint.*" | "ops.*" | (string & {}) | (EventType | "*" | "task.*" | "sandbox.*" | "endpoint.*" | "ops.*" | (string & {}))[] | undefined;
  /** The most entries of one page. */
  limit?: number | undefined;
  /** Seconds to wait if there is nothing yet. */
  wait?: number | undefined;
}

export interface EventTypesQuery {
  /** `true`: the types of slipgate itself. */
  builtIn?: "true" | "false" | undefined;
  /** The most entries of one page. */
  limit?: number | undefined;
  /** `nextCursor` of the page before, unchanged and with the same filters. */
  cursor?: string | undefined;
}

export interface DeleteEventTypeQuery {
  /** `true`: the answer or the refusal of the change, and nothing else. */
  dryRun?: "true" | "false" | undefined;
  /** Kept in the audit log. */
  reason?: string | undefined;
}

export interface EndpointsQuery {
  /** Only endpoints of this project. */
  project?: string | undefined;
  /** Only endpoints of this customer. */
  customer?: string | undefined;
  /** The most entries of one page. */
  limit?: number | undefined;
  /** `nextCursor` of the page before, unchanged and with the same filters. */
  cursor?: string | undefined;
}

export interface DeleteEndpointQuery {
  /** `true`: the answer or the refusal of the change, and nothing else. */
  dryRun?: "true" | "false" | undefined;
  /** Kept in the audit log. */
  reason?: string | undefined;
}

export interface DeliveriesQuery {
  /** Only deliveries to this endpoint. */
  endpointId?: string | undefined;
  /** Only deliveries of this task's events. */
  taskId?: string | undefined;
  /** Only deliveries to endpoints of this customer. */
  customer?: string | undefined;
  /** Only deliveries that stand so. */
  status?: DeliveryStatus | undefined;
  /** The most entries of one page. */
  limit?: number | undefined;
  /** `nextCursor` of the page before, unchanged and with the same filters. */
  cursor?: string | undefined;
}

export interface WorkspacesQuery {
  /** The most entries of one page. */
  limit?: number | undefined;
  /** `nextCursor` of the page before, unchanged and with the same filters. */
  cursor?: string | undefined;
}

export interface LaunchersQuery {
  /** The most entries of one page. */
  limit?: number | undefined;
  /** `nextCursor` of the page before, unchanged and with the same filters. */
  cursor?: string | undefined;
}

export interface GetSwitchesQuery {
  /** Leave out what is paused for other projects alone. */
  project?: string | undefined;
}

export interface KeysQuery {
  /** The most entries of one page. */
  limit?: number | undefined;
  /** `nextCursor` of the page before, unchanged and with the same filters. */
  cursor?: string | undefined;
}

export interface AuditQuery {
  /** Only changes by this actor: `key:<id>`, `cli`, `agent`, `launcher:<id>`, `gateway`. */
  actor?: string | undefined;
  /** Only changes after this moment. */
  after?: number | string | undefined;
  /** The most entries of one page. */
  limit?: number | undefined;
  /** `nextCursor` of the page before, unchanged and with the same filters. */
  cursor?: string | undefined;
}

export interface BulkActionsQuery {
  /** The most entries of one page. */
  limit?: number | undefined;
  /** `nextCursor` of the page before, unchanged and with the same filters. */
  cursor?: string | undefined;
}

export interface ReconcileQuery {
  /** At most so many tasks, jobs and realms. */
  limit?: number | undefined;
  /** What would be done in so many seconds, if nothing else came in between. */
  within?: number | undefined;
}

export type ErrorCode =
  | "already_finished" | "cursor_expired" | "database_replaced" | "endpoint_disabled" | "env_expired"
  | "event_id_reused" | "forbidden" | "headers_too_large" | "idempotency_mismatch" | "implicit_endpoint"
  | "intake_paused" | "internal" | "invalid_cursor" | "invalid_idempotency_key" | "invalid_json"
  | "invalid_request" | "invalid_schema" | "invalid_token" | "key_expired" | "last_ops_key"
  | "launch_failed" | "no_patch" | "no_trajectory" | "not_finished" | "not_found" | "patch_incomplete"
  | "rate_limited" | "read_only" | "repo_not_allowed" | "reserved_env" | "reserved_event_type"
  | "sandbox_alive" | "schema_mismatch" | "task_purged" | "token_expired" | "too_large"
  | "too_many_endpoints" | "too_many_open" | "too_many_secrets" | "too_many_tasks" | "unauthorized"
  | "unavailable" | "unsupported_media_type";

/** 409 `already_finished`: The task, or the bulk action, has already ended. */
export class AlreadyFinishedError extends ConflictError {}

/** 410 `cursor_expired`: Events behind this number have been deleted: something would be missing. */
export class CursorExpiredError extends GoneError {}

/** 503 `database_replaced`: The database was changed under the gateway, which has to be restarted. */
export class DatabaseReplacedError extends UnavailableError {}

/** 409 `endpoint_disabled`: The endpoint is disabled: its events are held. */
export class EndpointDisabledError extends ConflictError {}

/** 409 `env_expired`: The task's environment has been erased: it cannot be tried again. */
export class EnvExpiredError extends ConflictError {}

/** 409 `event_id_reused`: Another event was posted under this `eventId`. */
export class EventIdReusedError extends ConflictError {}

/** 403 `forbidden`: The key's scope may not do this. */
export class ForbiddenError extends PermissionError {}

/** 431 `headers_too_large`: The request line and the headers have more than 64 KiB. */
export class HeadersTooLargeError extends InvalidRequestError {}

/** 422 `idempotency_mismatch`: This Idempotency-Key was used for another request. */
export class IdempotencyMismatchError extends InvalidRequestError {}

/** 409 `implicit_endpoint`: It stands for the callbacks of tasks, which bring their address. */
export class ImplicitEndpointError extends ConflictError {}

/** 503 `intake_paused`: Ops have paused the intake of new tasks; nothing was stored. */
export class IntakePausedError extends UnavailableError {}

/** 500 `internal`: Internal error. Quote the request id when you report it. */
export class InternalError extends ServerError {}

/** 400 `invalid_cursor`: This cursor was not made here. */
export class InvalidCursorError extends InvalidRequestError {}

/** 400 `invalid_idempotency_key`: An Idempotency-Key has 1 to 255 printable ASCII characters. */
export class InvalidIdempotencyKeyError extends InvalidRequestError {}

/** 400 `invalid_json`: The body is not valid JSON in UTF-8. */
export class InvalidJsonError extends InvalidRequestError {}

/** 422 `invalid_schema`: The schema is no JSON Schema 2020-12, or more than is taken. */
export class InvalidSchemaError extends InvalidRequestError {}

/** 401 `invalid_token`: The stream token is not one for this task. */
export class InvalidTokenError extends AuthenticationError {}

/** 401 `key_expired`: The API key's `expiresAt` is over: use another key. */
export class KeyExpiredError extends AuthenticationError {}

/** 409 `last_ops_key`: It is the last living key of scope ops, and would revoke itself. */
export class LastOpsKeyError extends ConflictError {}

/** 502 `launch_failed`: The sandbox could not be made; `detail` has the provider's reason. */
export class LaunchFailedError extends ServerError {}

/** 404 `no_patch`: No attempt of this task has sent a patch. */
export class NoPatchError extends NotFoundError {}

/** 404 `no_trajectory`: The agent has sent no record of its turns, or not all of it. */
export class NoTrajectoryError extends NotFoundError {}

/** 409 `not_finished`: The task has not ended yet. */
export class NotFinishedError extends ConflictError {}

/** 409 `patch_incomplete`: A part of the patch has not arrived. */
export class PatchIncompleteError extends ConflictError {}

/** 429 `rate_limited`: The key has a rate limit, and this request is above it. */
export class RateLimitedError extends RateLimitError {}

/** 503 `read_only`: The disk takes no writes; reads are answered, and nothing was stored. */
export class ReadOnlyError extends UnavailableError {}

/** 422 `repo_not_allowed`: This installation does not work on that repository. */
export class RepoNotAllowedError extends InvalidRequestError {}

/** 422 `reserved_env`: `env` names a variable that the gateway computes or that is not safe. */
export class ReservedEnvError extends InvalidRequestError {}

/** 422 `reserved_event_type`: The first word of the type is one of ours. */
export class ReservedEventTypeError extends InvalidRequestError {}

/** 409 `sandbox_alive`: A sandbox of the task may be alive, and could send more. */
export class SandboxAliveError extends ConflictError {}

/** 422 `schema_mismatch`: `data` does not match the schema of its event type. */
export class SchemaMismatchError extends InvalidRequestError {}

/** 410 `task_purged`: The contents of the task were purged; its states are kept. */
export class TaskPurgedError extends GoneError {}

/** 401 `token_expired`: The stream token has expired: get a new one. */
export class TokenExpiredError extends AuthenticationError {}

/** 413 `too_large`: The body is larger than the limit of this route. */
export class TooLargeError extends InvalidRequestError {}

/** 409 `too_many_endpoints`: Each event of a customer goes to all of its endpoints. */
export class TooManyEndpointsError extends ConflictError {}

/** 429 `too_many_open`: Too many requests of this key, project or attempt are open at once. */
export class TooManyOpenError extends RateLimitError {}

/** 409 `too_many_secrets`: Each live secret makes the signature longer; retire some. */
export class TooManySecretsError extends ConflictError {}

/** 422 `too_many_tasks`: The filter matches too many tasks: narrow it. */
export class TooManyTasksError extends InvalidRequestError {}

/** 401 `unauthorized`: There is no valid API key in the Authorization header. */
export class UnauthorizedError extends AuthenticationError {}

/** 415 `unsupported_media_type`: The body is not called application/json. */
export class UnsupportedMediaTypeError extends InvalidRequestError {}

const ERRORS: Record<ErrorCode, ErrorClass> = {
  already_finished: AlreadyFinishedError,
  cursor_expired: CursorExpiredError,
  database_replaced: DatabaseReplacedError,
  endpoint_disabled: EndpointDisabledError,
  env_expired: EnvExpiredError,
  event_id_reused: EventIdReusedError,
  forbidden: ForbiddenError,
  headers_too_large: HeadersTooLargeError,
  idempotency_mismatch: IdempotencyMismatchError,
  implicit_endpoint: ImplicitEndpointError,
  intake_paused: IntakePausedError,
  internal: InternalError,
  invalid_cursor: InvalidCursorError,
  invalid_idempotency_key: InvalidIdempotencyKeyError,
  invalid_json: InvalidJsonError,
  invalid_request: InvalidRequestError,
  invalid_schema: InvalidSchemaError,
  invalid_token: InvalidTokenError,
  key_expired: KeyExpiredError,
  last_ops_key: LastOpsKeyError,
  launch_failed: LaunchFailedError,
  no_patch: NoPatchError,
  no_trajectory: NoTrajectoryError,
  not_finished: NotFinishedError,
  not_found: NotFoundError,
  patch_incomplete: PatchIncompleteError,
  rate_limited: RateLimitedError,
  read_only: ReadOnlyError,
  repo_not_allowed: RepoNotAllowedError,
  reserved_env: ReservedEnvError,
  reserved_event_type: ReservedEventTypeError,
  sandbox_alive: SandboxAliveError,
  schema_mismatch: SchemaMismatchError,
  task_purged: TaskPurgedError,
  token_expired: TokenExpiredError,
  too_large: TooLargeError,
  too_many_endpoints: TooManyEndpointsError,
  too_many_open: TooManyOpenError,
  too_many_secrets: TooManySecretsError,
  too_many_tasks: TooManyTasksError,
  unauthorized: UnauthorizedError,
  unavailable: UnavailableError,
  unsupported_media_type: UnsupportedMediaTypeError,
};

/** One method for each operation of the HTTP interface. */
class Operations extends Transport {
  /** Hand over a task: `POST /v1/tasks`. */
  createTask(body: NewTask, options: CallOptions = {}): Promise<Task> {
    return this.call("POST", "/v1/tasks", { body, hasKey: true }, options);
  }

  /** List tasks, newest first: `GET /v1/tasks`. */
  tasks(query: TasksQuery = {}, options: CallOptions = {}): List<Task> {
    return this.list("/v1/tasks", query, options);
  }

  /** Show a task as it stands: `GET /v1/tasks/{taskId}`. */
  getTask(taskId: string, query: GetTaskQuery = {}, options: CallOptions = {}): Promise<TaskDetails> {
    return this.call("GET", `/v1/tasks/${segment(taskId)}`, { query }, options);
  }

  /** Say why a task stands where it stands: `GET /v1/tasks/{taskId}/explain`. */
  explainTask(taskId: string, options: CallOptions = {}): Promise<Explanation> {
    return this.call("GET", `/v1/tasks/${segment(taskId)}/explain`, {}, options);
  }

  /** Ask a task to stop: `POST /v1/tasks/{taskId}/cancel`. */
  cancelTask(taskId: string, body: Change = {}, options: CallOptions = {}): Promise<Task> {
    return this.call("POST", `/v1/tasks/${segment(taskId)}/cancel`, { body, hasKey: true }, options);
  }

  /** Open the next attempt of a task that has ended: `POST /v1/tasks/{taskId}/retry`. */
  retryTask(taskId: string, body: Change = {}, options: CallOptions = {}): Promise<Task> {
    return this.call("POST", `/v1/tasks/${segment(taskId)}/retry`, { body, hasKey: true }, options);
  }

  /** Declare the sandbox of an ended attempt gone: `POST /v1/tasks/{taskId}/attempts/{attempt}/release`. */
  releaseSandbox(taskId: string, attempt: number, body: Release, options: CallOptions = {}): Promise<Task> {
    return this.call("POST", `/v1/tasks/${segment(taskId)}/attempts/${segment(attempt)}/release`, { body }, options);
  }

  /** Remove the contents of an ended task: `POST /v1/tasks/{taskId}/purge`. */
  purgeTask(taskId: string, body: Purge, options: CallOptions = {}): Promise<Task> {
    return this.call("POST", `/v1/tasks/${segment(taskId)}/purge`, { body, isSafe: true }, options);
  }

  /** Follow one task: `GET /v1/tasks/{taskId}/events`. */
  taskEvents(taskId: string, query: TaskEventsQuery = {}, options: CallOptions = {}): List<Event> {
    return this.feed(`/v1/tasks/${segment(taskId)}/events`, query, options);
  }

  /** Read the agent's log, in order: `GET /v1/tasks/{taskId}/logs`. */
  logs(taskId: string, query: LogsQuery = {}, options: CallOptions = {}): List<LogChunk> {
    return this.feed(`/v1/tasks/${segment(taskId)}/logs`, query, options);
  }

  /** Read what the agent changed: `GET /v1/tasks/{taskId}/patch`. */
  patch(taskId: string, query: PatchQuery = {}, options: CallOptions = {}): Promise<string> {
    return this.text("GET", `/v1/tasks/${segment(taskId)}/patch`, { query }, options);
  }

  /** Read the receipts of the checks, verified: `GET /v1/tasks/{taskId}/receipts`. */
  receipts(taskId: string, query: ReceiptsQuery = {}, options: CallOptions = {}): Promise<Receipts> {
    return this.call("GET", `/v1/tasks/${segment(taskId)}/receipts`, { query }, options);
  }

  /** Read the record of the agent's turns: `GET /v1/tasks/{taskId}/trajectory`. */
  trajectory(taskId: string, query: TrajectoryQuery = {}, options: CallOptions = {}): Promise<string> {
    return this.text("GET", `/v1/tasks/${segment(taskId)}/trajectory`, { query }, options);
  }

  /** Let a browser read one task for an hour: `POST /v1/tasks/{taskId}/stream-token`. */
  createStreamToken(taskId: string, options: CallOptions = {}): Promise<StreamToken> {
    return this.call("POST", `/v1/tasks/${segment(taskId)}/stream-token`, { isSafe: true }, options);
  }

  /** Follow every task of the project: `GET /v1/events`. */
  events(query: EventsQuery = {}, options: CallOptions = {}): List<Event> {
    return this.feed("/v1/events", query, options);
  }

  /** Send an event of your own: `POST /v1/events`. */
  postEvent(body: NewEvent, options: CallOptions = {}): Promise<PostedEvent> {
    return this.call("POST", "/v1/events", { body, hasKey: true }, options);
  }

  /** Send many events of your own: `POST /v1/events/batch`. */
  postEvents(body: NewEvents, options: CallOptions = {}): Promise<PostedEvents> {
    return this.call("POST", "/v1/events/batch", { body, hasKey: true }, options);
  }

  /** List the event types of the project by name: `GET /v1/event-types`. */
  eventTypes(query: EventTypesQuery = {}, options: CallOptions = {}): List<EventTypeDefinition> {
    return this.list("/v1/event-types", query, options);
  }

  /** Describe a type of your own events: `PUT /v1/event-types/{eventType}`. */
  putEventType(eventType: string, body: NewEventType, options: CallOptions = {}): Promise<EventTypeDefinition> {
    return this.call("PUT", `/v1/event-types/${segment(eventType)}`, { body }, options);
  }

  /** Show an event type: `GET /v1/event-types/{eventType}`. */
  getEventType(eventType: string, options: CallOptions = {}): Promise<EventTypeDefinition> {
    return this.call("GET", `/v1/event-types/${segment(eventType)}`, {}, options);
  }

  /** Take an event type out of the catalogue: `DELETE /v1/event-types/{eventType}`. */
  deleteEventType(eventType: string, query: DeleteEventTypeQuery = {}, options: CallOptions = {}): Promise<DeletedEventType> {
    return this.call("DELETE", `/v1/event-types/${segment(eventType)}`, { query }, options);
  }

  /** Have a project's events sent to an address: `POST /v1/endpoints`. */
  createEndpoint(body: NewEndpoint & { dryRun: true }, options?: CallOptions): Promise<Endpoint>;
  createEndpoint(body: NewEndpoint & { dryRun?: false | undefined }, options?: CallOptions): Promise<CreatedEndpoint>;
  createEndpoint(body: NewEndpoint, options: CallOptions = {}): Promise<CreatedEndpoint | Endpoint> {
    return this.call("POST", "/v1/endpoints", { body, hasKey: true }, options);
  }

  /** List endpoints, newest first: `GET /v1/endpoints`. */
  endpoints(query: EndpointsQuery = {}, options: CallOptions = {}): List<Endpoint> {
    return this.list("/v1/endpoints", query, options);
  }

  /** Show an endpoint as it stands: `GET /v1/endpoints/{endpointId}`. */
  getEndpoint(endpointId: string, options: CallOptions = {}): Promise<Endpoint> {
    return this.call("GET", `/v1/endpoints/${segment(endpointId)}`, {}, options);
  }

  /** Change an endpoint: `PATCH /v1/endpoints/{endpointId}`. */
  updateEndpoint(endpointId: string, body: EndpointChanges = {}, options: CallOptions = {}): Promise<Endpoint> {
    return this.call("PATCH", `/v1/endpoints/${segment(endpointId)}`, { body }, options);
  }

  /** Delete an endpoint: `DELETE /v1/endpoints/{endpointId}`. */
  deleteEndpoint(endpointId: string, query: DeleteEndpointQuery = {}, options: CallOptions = {}): Promise<DeletedEndpoint> {
    return this.call("DELETE", `/v1/endpoints/${segment(endpointId)}`, { query }, options);
  }

  /** Enable an endpoint: `POST /v1/endpoints/{endpointId}/enable`. */
  enableEndpoint(endpointId: string, body: Enabling = {}, options: CallOptions = {}): Promise<Endpoint> {
    return this.call("POST", `/v1/endpoints/${segment(endpointId)}/enable`, { body, isSafe: true }, options);
  }

  /** Disable an endpoint: `POST /v1/endpoints/{endpointId}/disable`. */
  disableEndpoint(endpointId: string, body: Change = {}, options: CallOptions = {}): Promise<Endpoint> {
    return this.call("POST", `/v1/endpoints/${segment(endpointId)}/disable`, { body, isSafe: true }, options);
  }

  /** Give an endpoint a new secret: `POST /v1/endpoints/{endpointId}/rotate-secret`. */
  rotateEndpointSecret(endpointId: string, body: Rotation = {}, options: CallOptions = {}): Promise<Secret> {
    return this.call("POST", `/v1/endpoints/${segment(endpointId)}/rotate-secret`, { body, hasKey: true }, options);
  }

  /** Send an endpoint a signed test event, and say what came back: `POST /v1/endpoints/{endpointId}/test`. */
  testEndpoint(endpointId: string, options: CallOptions = {}): Promise<DeliveryAttempt> {
    return this.call("POST", `/v1/endpoints/${segment(endpointId)}/test`, {}, options);
  }

  /** Send the deliveries of a time again: `POST /v1/endpoints/{endpointId}/replay`. */
  replayDeliveries(endpointId: string, body: NewReplay, options: CallOptions = {}): Promise<Replay> {
    return this.call("POST", `/v1/endpoints/${segment(endpointId)}/replay`, { body, hasKey: true }, options);
  }

  /** Let a customer manage its own endpoints: `POST /v1/portal-links`. */
  createPortalLink(body: NewPortalLink, options: CallOptions = {}): Promise<PortalLink> {
    return this.call("POST", "/v1/portal-links", { body }, options);
  }

  /** End all links of a customer to its portal: `POST /v1/portal-links/expire-all`. */
  expirePortalLinks(body: ExpirePortalLinks, options: CallOptions = {}): Promise<ExpiredPortalLinks> {
    return this.call("POST", "/v1/portal-links/expire-all", { body }, options);
  }

  /** Show how far a replay has come: `GET /v1/replays/{replayId}`. */
  getReplay(replayId: string, options: CallOptions = {}): Promise<Replay> {
    return this.call("GET", `/v1/replays/${segment(replayId)}`, {}, options);
  }

  /** List deliveries, those of the newest events first: `GET /v1/deliveries`. */
  deliveries(query: DeliveriesQuery = {}, options: CallOptions = {}): List<Delivery> {
    return this.list("/v1/deliveries", query, options);
  }

  /** Show a delivery with all attempts to make it: `GET /v1/deliveries/{deliveryId}`. */
  getDelivery(deliveryId: string, options: CallOptions = {}): Promise<Delivery> {
    return this.call("GET", `/v1/deliveries/${segment(deliveryId)}`, {}, options);
  }

  /** Send a delivery now, whatever became of it: `POST /v1/deliveries/{deliveryId}/retry`. */
  retryDelivery(deliveryId: string, body: Change = {}, options: CallOptions = {}): Promise<Delivery> {
    return this.call("POST", `/v1/deliveries/${segment(deliveryId)}/retry`, { body }, options);
  }

  /** Make a workspace, as today's frontend asks for one: `POST /workspace`. */
  createWorkspace(body: NewWorkspace, options: CallOptions = {}): Promise<CreatedWorkspace> {
    return this.call("POST", "/workspace", { body }, options);
  }

  /** List the workspaces of the project, newest first: `GET /workspace`. */
  workspaces(query: WorkspacesQuery = {}, options: CallOptions = {}): Promise<Workspaces> {
    return this.call("GET", "/workspace", { query }, options);
  }

  /** Show how a workspace stands: `GET /workspace/{workspaceId}`. */
  getWorkspace(workspaceId: string, options: CallOptions = {}): Promise<Workspace> {
    return this.call("GET", `/workspace/${segment(workspaceId)}`, {}, options);
  }

  /** Cancel what runs in a workspace and destroy it: `DELETE /workspace/{workspaceId}`. */
  deleteWorkspace(workspaceId: string, options: CallOptions = {}): Promise<Workspace> {
    return this.call("DELETE", `/workspace/${segment(workspaceId)}`, {}, options);
  }

  /** Stop a workspace: cancel its task and destroy its sandbox: `POST /workspace/{workspaceId}/stop`. */
  stopWorkspace(workspaceId: string, options: CallOptions = {}): Promise<Workspace> {
    return this.call("POST", `/workspace/${segment(workspaceId)}/stop`, { isSafe: true }, options);
  }

  /** List launchers, the one that called last first: `GET /v1/launchers`. */
  launchers(query: LaunchersQuery = {}, options: CallOptions = {}): List<Launcher> {
    return this.list("/v1/launchers", query, options);
  }

  /** Give a launcher no new create jobs: `POST /v1/launchers/{launcherId}/drain`. */
  drainLauncher(launcherId: string, body: LauncherOrder, options: CallOptions = {}): Promise<Launcher> {
    return this.call("POST", `/v1/launchers/${segment(launcherId)}/drain`, { body, isSafe: true }, options);
  }

  /** Let a drained or revoked launcher work again: `POST /v1/launchers/{launcherId}/resume`. */
  resumeLauncher(launcherId: string, body: LauncherOrder, options: CallOptions = {}): Promise<Launcher> {
    return this.call("POST", `/v1/launchers/${segment(launcherId)}/resume`, { body, isSafe: true }, options);
  }

  /** Take a launcher's jobs away and refuse its calls: `POST /v1/launchers/{launcherId}/revoke`. */
  revokeLauncher(launcherId: string, body: LauncherOrder, options: CallOptions = {}): Promise<Launcher> {
    return this.call("POST", `/v1/launchers/${segment(launcherId)}/revoke`, { body, isSafe: true }, options);
  }

  /** Show what is paused, since when, by whom and why: `GET /v1/switches`. */
  getSwitches(query: GetSwitchesQuery = {}, options: CallOptions = {}): Promise<Switches> {
    return this.call("GET", "/v1/switches", { query }, options);
  }

  /** Pause or resume intake, launching or delivering: `PUT /v1/switches`. */
  setSwitches(body: SwitchChange, options: CallOptions = {}): Promise<Switches> {
    return this.call("PUT", "/v1/switches", { body }, options);
  }

  /** What the newest sweep of each realm has found: `GET /v1/sweeps`. */
  sweeps(options: CallOptions = {}): Promise<Sweeps> {
    return this.call("GET", "/v1/sweeps", {}, options);
  }

  /** Have every realm that is served swept now: `POST /v1/sweeps`. */
  sweepNow(options: CallOptions = {}): Promise<Sweeps> {
    return this.call("POST", "/v1/sweeps", {}, options);
  }

  /** Create an API key: `POST /v1/keys`. */
  createKey(body: NewKey & { dryRun: true }, options?: CallOptions): Promise<Key>;
  createKey(body: NewKey & { dryRun?: false | undefined }, options?: CallOptions): Promise<CreatedKey>;
  createKey(body: NewKey, options: CallOptions = {}): Promise<CreatedKey | Key> {
    return this.call("POST", "/v1/keys", { body }, options);
  }

  /** List API keys, newest first: `GET /v1/keys`. */
  keys(query: KeysQuery = {}, options: CallOptions = {}): List<Key> {
    return this.list("/v1/keys", query, options);
  }

  /** Revoke an API key for good: `POST /v1/keys/{keyId}/revoke`. */
  revokeKey(keyId: string, body: Revocation = {}, options: CallOptions = {}): Promise<Key> {
    return this.call("POST", `/v1/keys/${segment(keyId)}/revoke`, { body, isSafe: true }, options);
  }

  /** List changes with their actors, newest first: `GET /v1/audit`. */
  audit(query: AuditQuery = {}, options: CallOptions = {}): List<AuditEntry> {
    return this.list("/v1/audit", query, options);
  }

  /** Act on all tasks that match a filter: `POST /v1/bulk`. */
  bulk(body: NewBulk & { dryRun: true }, options?: CallOptions): Promise<BulkPreview>;
  bulk(body: NewBulk & { dryRun?: false | undefined }, options?: CallOptions): Promise<BulkActionDetails>;
  bulk(body: NewBulk, options: CallOptions = {}): Promise<BulkActionDetails | BulkPreview> {
    return this.call("POST", "/v1/bulk", { body, hasKey: true }, options);
  }

  /** List bulk actions, newest first: `GET /v1/bulk`. */
  bulkActions(query: BulkActionsQuery = {}, options: CallOptions = {}): List<BulkAction> {
    return this.list("/v1/bulk", query, options);
  }

  /** Show how far a bulk action has come: `GET /v1/bulk/{bulkId}`. */
  getBulk(bulkId: string, options: CallOptions = {}): Promise<BulkActionDetails> {
    return this.call("GET", `/v1/bulk/${segment(bulkId)}`, {}, options);
  }

  /** Stop a bulk action where it stands: `POST /v1/bulk/{bulkId}/abort`. */
  abortBulk(bulkId: string, body: Change = {}, options: CallOptions = {}): Promise<BulkActionDetails> {
    return this.call("POST", `/v1/bulk/${segment(bulkId)}/abort`, { body, isSafe: true }, options);
  }

  /** Show what is wrong, grouped by its cause: `GET /v1/status`. */
  status(options: CallOptions = {}): Promise<Status> {
    return this.call("GET", "/v1/status", {}, options);
  }

  /** What the reconciler would do now, without doing it: `GET /v1/reconcile`. */
  reconcile(query: ReconcileQuery = {}, options: CallOptions = {}): Promise<Reconcile> {
    return this.call("GET", "/v1/reconcile", { query }, options);
  }

  /** Metrics for Prometheus: `GET /metrics`. */
  metrics(options: CallOptions = {}): Promise<string> {
    return this.text("GET", "/metrics", {}, options);
  }
}

// ---- end of the generated part ----

// ---- the client ----

const ENDED: ReadonlySet<string> = new Set<TaskStatus>([
  "completed",
  "needs_review",
  "failed",
  "timed_out",
  "cancelled",
  "expired",
]);

/** True in a state that only a retry leaves. */
export function hasEnded(task: { status: TaskStatus }): boolean {
  return ENDED.has(task.status);
}

/** True for the event of an end; of a retried task others may follow. */
function isEnd(event: Event): boolean {
  return event.applied && ENDED.has(event.type.replace("task.", ""));
}

export interface StreamOptions {
  signal?: AbortSignal | undefined;
  /** The `seq` of the last event you have; without it, from the first one that is kept. */
  after?: number | string | undefined;
  /** Milliseconds of silence after which a connection counts as lost. The gateway writes every 15 s. Default 45 000. */
  heartbeatTimeout?: number | undefined;
  /** Tries until the first connection; later it is tried until it is aborted. */
  maxRetries?: number | undefined;
}

export interface TaskStreamOptions extends StreamOptions {
  /** True: go on after the task's end, for its sandbox, its pull request and retries. Default: end with the task. */
  follow?: boolean | undefined;
}

export interface WaitOptions {
  signal?: AbortSignal | undefined;
  /** Milliseconds until a `WaitTimeoutError`. Default: none. */
  timeout?: number | undefined;
  /** Called with each event on the way. */
  onEvent?: ((event: Event) => void) | undefined;
}

/**
 * A gateway. Each operation of its HTTP interface is a method; lists can be awaited or iterated:
 *
 *     const page = await slipgate.tasks({ status: "running" });
 *     for await (const task of slipgate.tasks({ metadata: { userId: "u_1" } })) console.log(task.id);
 */
export class Slipgate extends Operations {
  /**
   * A reader of one task for browsers, with what `createStreamToken` returned on the server.
   *
   *     const reader = Slipgate.withToken(grant, () => fetch(`/api/tasks/${id}/token`).then((r) => r.json()));
   *     for await (const event of reader.stream(id)) render(event);
   */
  static withToken(
    grant: Pick<StreamToken, "url" | "token"> & Partial<StreamToken>,
    refreshToken?: () => Promise<StreamToken | string>,
  ): Slipgate {
    const { expiresAt, refreshAt } = grant;
    const token = expiresAt && refreshAt ? { ...grant, expiresAt, refreshAt } : grant.token;
    return new Slipgate({ url: grant.url.replace(/\/v1\/tasks\/[^]*$/, ""), token, refreshToken });
  }

  /** The events of a task as they come, from the first one on. Ends with the task; reconnects and resumes by itself. */
  async *stream(taskId: string, options: TaskStreamOptions = {}): AsyncGenerator<Event, void, undefined> {
    const { signal } = options;
    if (!options.follow && hasEnded(await this.getTask(taskId, {}, { signal }))) {
      yield* this.taskEvents(taskId, { after: options.after, limit: 200 }, { signal });
      return;
    }
    for await (const event of this.streamed<Event>(`/v1/tasks/${segment(taskId)}/events`, {}, options)) {
      yield event;
      if (options.follow || !isEnd(event)) continue;
      const task = await this.getTask(taskId, {}, { signal });
      if (hasEnded(task) && task.attempt === event.attempt) return;
    }
  }

  /** The events of all tasks of the project as they come, until it is aborted; with `types` others, too. */
  streamAll<T = Event>(
    options: StreamOptions & { types?: EventsQuery["types"] } = {},
  ): AsyncGenerator<T, void, undefined> {
    return this.streamed<T>("/v1/events", { types: options.types }, options);
  }

  /** The task, once it has ended. Restarts of the gateway are waited through. */
  async waitFor(taskId: string, options: WaitOptions = {}): Promise<Task> {
    const { signal, onEvent } = options;
    const end = Date.now() + (options.timeout ?? Infinity);
    let after: string | undefined;
    let task: Task = await this.getTask(taskId, {}, { signal });
    for (let tries = 0; !hasEnded(task); tries++) {
      const left = (end - Date.now()) / 1000;
      if (left <= 0) throw new WaitTimeoutError(task);
      try {
        const query = { after, limit: 200, wait: Math.ceil(Math.min(20, left)) };
        const page: Page<Event> = await this.taskEvents(taskId, query, { signal, maxRetries: 0 });
        page.data.forEach((event) => onEvent?.(event));
        after = page.nextCursor ?? after;
        if (page.data.length === 0 || page.data.some(isEnd)) task = await this.getTask(taskId, {}, { signal });
        tries = 0;
        if (!hasEnded(task)) await sleep(Math.min(200, left * 1000), signal); // a busy agent fills many small pages
      } catch (error) {
        if (!mayRepeat(error, true)) throw error;
        await sleep(Math.min(backoff(tries, error), Math.max(left * 1000, 0)), signal);
      }
    }
    return task;
  }

  /** The log as it grows, until the task has ended; `logs` has what there is now. */
  async *followLogs(
    taskId: string,
    options: { signal?: AbortSignal | undefined; after?: number | string | undefined } = {},
  ): AsyncGenerator<LogChunk, void, undefined> {
    const { signal } = options;
    let after = String(options.after ?? 0);
    let seen = after;
    for (let isLast = false; ; ) {
      const page: Page<LogChunk> = await this.logs(taskId, { after }, { signal });
      yield* page.data;
      after = page.nextCursor ?? after;
      if (page.data.length) continue;
      if (isLast) return;
      isLast = hasEnded(await this.getTask(taskId, {}, { signal }));
      if (isLast) continue; // what came between the two
      if (Number(seen) < Number(after)) seen = after;
      const events: Page<Event> = await this.taskEvents(taskId, { after: seen, limit: 200, wait: 20 }, { signal });
      seen = events.nextCursor ?? seen;
      await sleep(200, signal);
    }
  }

  /** The whole log until now as one text. */
  logText(taskId: string, options: CallOptions = {}): Promise<string> {
    return this.text("GET", `/v1/tasks/${segment(taskId)}/logs`, { accept: "text/plain" }, options);
  }
}

// ---- webhooks ----

/** What comes to a `callbackUrl` or an endpoint. Told apart by `type`. */
export type WebhookEvent = TaskWebhook | EndpointWebhook | OpsWebhook;

/**
 * An event of a type of your own, as `postEvent` got it. It is no part of `WebhookEvent`: say which you take.
 *
 *     webhookHandler<WebhookEvent | OwnWebhook<"invoice.paid", Invoice>>({ … })
 */
export interface OwnWebhook<T extends string = string, D = Record<string, unknown>> {
  type: T;
  timestamp: string;
  data: D;
}

/** The same in a feed that names its type: `streamAll<Event | OwnEvent>({ types: ["task.*", "invoice.*"] })`. */
export type OwnEvent<T extends string = string, D = Record<string, unknown>> = EventFields & {
  type: T;
  data: D;
  taskId: null;
  taskSeq: null;
  attempt: null;
  customer: string | null;
  eventId: string | null;
};

/** What comes to the `env.WEBHOOK_URL` of the drop-in workspace API; an empty text means absent. */
export interface FlatCallback {
  type: "workspace.created" | "task.progress" | "task.completed" | "task.failed" | "pr.created";
  taskId: string;
  workspaceId: string;
  status: "" | "creating" | "running" | "success" | "failed";
  branchName: string;
  prUrl: string;
  error: string;
  message: string;
}

export interface VerifyOptions {
  /** Seconds that the time of a webhook may be away from now. Default 300. */
  tolerance?: number | undefined;
}

/** `Headers`, or the headers of Node. */
export type HeadersLike =
  | { get(name: string): string | null }
  | Record<string, string | readonly string[] | undefined>;

const ENCODER = new TextEncoder();

/**
 * The event of a webhook, if one of the secrets has signed it (Standard Webhooks).
 *
 *     const event = await verifyWebhook(await request.text(), request.headers, secret);
 *     if (event.type === "task.completed") console.log(event.data.task.prUrl);
 *
 * `rawBody` is the body as it came: the signature is one of its bytes. `secrets` are one or several, while one is
 * replaced; without them, `SLIPGATE_WEBHOOK_SECRET` of the environment. Throws `WebhookVerificationError`.
 */
export async function verifyWebhook<T = WebhookEvent>(
  rawBody: string | Uint8Array | ArrayBuffer,
  headers: HeadersLike,
  secrets?: string | readonly string[] | undefined,
  options: VerifyOptions = {},
): Promise<T> {
  const body = bytesOf(rawBody);
  const keys = await Promise.all(keysOf(secrets ?? environment("SLIPGATE_WEBHOOK_SECRET") ?? ""));
  const id = header(headers, "webhook-id");
  const timestamp = header(headers, "webhook-timestamp");
  const signatures = header(headers, "webhook-signature").split(" ").filter((each) => each.startsWith("v1,"));
  if (!id || !/^\d{1,12}$/.test(timestamp) || signatures.length === 0)
    throw unverified("malformed_headers", "The header webhook-id, webhook-timestamp or webhook-signature is missing or malformed");
  const seconds = Math.abs(Date.now() / 1000 - Number(timestamp));
  if (seconds > (options.tolerance ?? 300))
    throw unverified("timestamp_out_of_tolerance", `The time of the webhook is ${Math.round(seconds)} s away from this clock`);
  const signed = joined(ENCODER.encode(`${id}.${timestamp}.`), body);
  let isSigned = false;
  for (const key of keys) {
    const mac = new Uint8Array(await crypto.subtle.sign("HMAC", key, signed));
    const expected = ENCODER.encode(`v1,${btoa(String.fromCharCode(...mac))}`);
    for (const signature of signatures) isSigned = isEqual(expected, ENCODER.encode(signature)) || isSigned;
  }
  if (!isSigned) throw unverified("invalid_signature", NOT_SIGNED);
  const event = parsed(new TextDecoder().decode(body));
  if (typeof event !== "object" || event === null) throw unverified("invalid_json", "The body is no JSON object");
  return event as T;
}

const NOT_SIGNED =
  "None of the secrets has signed this body: compare SLIPGATE_WEBHOOK_SECRET with the sender's, and verify the body as it came, unparsed";

function bytesOf(body: string | Uint8Array | ArrayBuffer): Uint8Array {
  if (typeof body === "string") return ENCODER.encode(body);
  if (ArrayBuffer.isView(body)) return new Uint8Array(body.buffer, body.byteOffset, body.byteLength);
  if (Object.prototype.toString.call(body) === "[object ArrayBuffer]") return new Uint8Array(body);
  throw unconfigured("a webhook is verified by its raw body, as text or bytes: a parser has read it before");
}

function header(headers: HeadersLike, name: string): string {
  if (typeof headers.get === "function") return (headers as Headers).get(name) ?? "";
  for (const [key, value] of Object.entries(headers))
    if (key.toLowerCase() === name) return typeof value === "string" ? value : ((value as readonly string[])?.[0] ?? "");
  return "";
}

function joined(...parts: Uint8Array[]) {
  const whole = new Uint8Array(parts.reduce((length, part) => length + part.length, 0));
  let length = 0;
  for (const part of parts) {
    whole.set(part, length);
    length += part.length;
  }
  return whole; // its type, which differs between versions of TypeScript, is left to be found
}

/** The keys of some secrets; in one text they are separated by spaces or commas. */
function keysOf(secrets: string | readonly string[]) {
  const all = (typeof secrets === "string" ? secrets.split(/[\s,]+/) : secrets).filter((each) => each !== "");
  if (all.length === 0) throw unconfigured("no webhook secret: give one or set SLIPGATE_WEBHOOK_SECRET");
  return all.map((secret) => crypto.subtle.importKey("raw", secretBytes(secret), { name: "HMAC", hash: "SHA-256" }, false, ["sign"]));
}

function secretBytes(secret: string) {
  try {
    const raw = atob(/^(?:whsec_)?([A-Za-z0-9+/]+={0,2})$/.exec(secret)?.[1] ?? "?");
    return Uint8Array.from(raw, (each) => each.charCodeAt(0));
  } catch {
    throw unconfigured("a webhook secret is whsec_ and base64");
  }
}

/** In a time that does not depend on where they differ. */
function isEqual(one: Uint8Array, other: Uint8Array): boolean {
  let difference = one.length ^ other.length;
  one.forEach((byte, i) => (difference |= byte ^ (other[i] ?? 0)));
  return difference === 0;
}

function unverified(code: string, message: string): SlipgateError {
  return new WebhookVerificationError(`${message}.`, { status: 401, code });
}

export interface WebhookHandlerOptions<T = WebhookEvent> extends VerifyOptions {
  /** One or several. Default: `SLIPGATE_WEBHOOK_SECRET` of the environment. */
  secret?: string | readonly string[] | undefined;
  /** Your part. Its answer is awaited, at the most 15 s; if it throws, the gateway sends the event again later. */
  onEvent: (event: T, delivery: WebhookDelivery) => unknown;
}

export interface WebhookDelivery {
  /** The event's id, the same each time it is sent: keep it to drop what came before. */
  id: string;
  /** Later events of the same task were sent before this one; `data.task.taskSeq` says which task is newer. */
  isLate: boolean;
}

type Outcome = { status: number; body: string | null };

/**
 * A handler of requests as the web has them: Next.js, Hono, Deno, Bun, Cloudflare.
 *
 *     export const POST = webhookHandler({ onEvent: async (event) => save(event) }); // app/api/hook/route.ts
 *     app.post("/hook", (c) => handle(c.req.raw)); // Hono, with handle = webhookHandler(…)
 */
export function webhookHandler<T = WebhookEvent>(
  options: WebhookHandlerOptions<T>,
): (request: Request) => Promise<Response> {
  return async (request) => {
    const { status, body } = await handled(options, request.headers, async () => {
      if (request.bodyUsed) throw unconfigured("the body was read before: hand the request over unread");
      return new Uint8Array(await request.arrayBuffer());
    });
    return new Response(body, { status, headers: body === null ? {} : { "content-type": PROBLEM } });
  };
}

interface NodeRequest extends AsyncIterable<unknown> {
  headers: Record<string, string | string[] | undefined>;
  body?: unknown;
}

interface NodeResponse {
  statusCode: number;
  setHeader(name: string, value: string): unknown;
  end(body?: string): unknown;
}

/**
 * The same for Express and `node:http`. It reads the body itself, or takes what `express.raw()` has read;
 * mount it before `express.json()`.
 *
 *     app.post("/hook", expressWebhookHandler({ onEvent: async (event) => save(event) }));
 */
export function expressWebhookHandler<T = WebhookEvent>(
  options: WebhookHandlerOptions<T>,
): (request: NodeRequest, response: NodeResponse) => Promise<void> {
  return async (request, response) => {
    const { status, body } = await handled(options, request.headers, () => nodeBody(request));
    response.statusCode = status;
    if (body !== null) response.setHeader("content-type", PROBLEM);
    response.end(body ?? undefined);
  };
}

const PROBLEM = "application/problem+json";
const LONGEST_BODY = 16 * 1024 * 1024;

async function handled<T>(
  options: WebhookHandlerOptions<T>,
  headers: HeadersLike,
  read: () => Promise<string | Uint8Array>,
): Promise<Outcome> {
  let isVerified = false;
  try {
    const event = await verifyWebhook<T>(await read(), headers, options.secret, options);
    isVerified = true;
    const isLate = header(headers, "slipgate-late") === "true";
    await options.onEvent(event, { id: header(headers, "webhook-id"), isLate });
    return { status: 204, body: null };
  } catch (error) {
    if (error instanceof WebhookVerificationError) return refused(401, error.code, error.message);
    console.error("slipgate: a webhook was not handled, and will come again.", error);
    if (error instanceof ConfigurationError && !isVerified) return refused(500, error.code, error.message);
    return refused(500, "internal", "The event was not handled.");
  }
}

function refused(status: number, code: string, detail: string): Outcome {
  return { status, body: JSON.stringify({ status, code, detail }) };
}

async function nodeBody(request: NodeRequest): Promise<string | Uint8Array> {
  if (typeof request.body === "string" || request.body instanceof Uint8Array) return request.body;
  const chunks: Uint8Array[] = [];
  let length = 0;
  for await (const chunk of request as AsyncIterable<Uint8Array>) {
    chunks.push(chunk);
    length += chunk.length;
    if (length > LONGEST_BODY) throw unverified("too_large", "The body is larger than any webhook");
  }
  if (length === 0 && request.body) return bytesOf(request.body as string);
  return joined(...chunks);
}
