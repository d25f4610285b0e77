// Live updates and keys. Every page works without this module.

const PAUSE = 400; // least milliseconds between two refreshes
const REST = 10; // and at least this many times what the last one took: a busy feed is no load

/** Replaces the parts of the page that have changed; the rest keeps its focus, scroll and forms. */
async function refresh() {
  const response = await fetch(location.href, { headers: { "X-Partial": "1" } });
  if (response.redirected || !response.ok) return;
  const fresh = new DOMParser().parseFromString(await response.text(), "text/html");
  for (const part of document.querySelectorAll("[data-live]")) {
    const next = fresh.querySelector(`[data-live="${CSS.escape(part.dataset.live)}"]`);
    if (!next || next.innerHTML === part.innerHTML || part.contains(document.activeElement)) continue;
    const open = [...part.querySelectorAll("details")].map((one) => one.open);
    const isAtEnd = part.scrollTop + part.clientHeight >= part.scrollHeight - 8;
    part.replaceChildren(...next.childNodes);
    part.querySelectorAll("details").forEach((one, index) => { one.open = open[index] ?? one.open; });
    if (isAtEnd) part.scrollTop = part.scrollHeight;
  }
}

function follow(address) {
  const mark = document.getElementById("live");
  const events = new EventSource(address); // it connects again by itself, behind the last event
  let isDue = false;
  let pause = PAUSE;
  const schedule = () => {
    if (isDue) return;
    isDue = true;
    setTimeout(async () => {
      isDue = false;
      const began = performance.now();
      await refresh().catch(() => {});
      pause = Math.max(PAUSE, REST * (performance.now() - began));
    }, pause);
  };
  events.onopen = () => { mark.hidden = false; schedule(); };
  events.onerror = () => { mark.hidden = true; };
  events.onmessage = schedule;
  addEventListener("pagehide", () => events.close());
}

const { feed } = document.body.dataset;
if (feed) follow(feed);

/** Counts deadlines down and ages up, each from its own moment. */
function tick() {
  for (const clock of document.querySelectorAll("time[data-until]")) {
    const left = Math.round((Date.parse(clock.dateTime) - Date.now()) / 1000);
    clock.textContent = left > 0 ? `in ${left} s` : "due now";
  }
}
if (document.querySelector("time[data-until]")) setInterval(tick, 1000);

const PAGES = { n: "", t: "/tasks", b: "/bulk", l: "/launchers", e: "/endpoints", d: "/deliveries", a: "/access", h: "/health" };
let isGoing = false;

function move(step) {
  const rows = [...document.querySelectorAll("[data-row]")];
  const index = rows.findIndex((row) => row.classList.contains("selected"));
  const next = rows[Math.min(rows.length - 1, Math.max(0, index + step))];
  if (!next) return;
  rows.forEach((row) => row.classList.toggle("selected", row === next));
  next.querySelector("a")?.focus();
  next.scrollIntoView({ block: "nearest" });
}

addEventListener("keydown", (event) => {
  const isTyping = event.target.matches("input, select, textarea");
  if (isTyping || event.ctrlKey || event.metaKey || event.altKey) return;
  if (isGoing) {
    isGoing = false;
    if (event.key in PAGES) location.href = `/dashboard${PAGES[event.key]}`;
  } else if (event.key === "g") {
    isGoing = true;
  } else if (event.key === "j") {
    move(1);
  } else if (event.key === "k") {
    move(-1);
  } else if (event.key === "?") {
    document.getElementById("keys").showModal();
  } else if (event.key === "/") {
    event.preventDefault();
    const search = document.getElementById("search");
    if (search) search.focus();
    else location.href = "/dashboard/tasks#search";
  }
});

if (location.hash === "#search") document.getElementById("search")?.focus();

document.addEventListener("submit", (event) => {
  const { confirm: question } = event.target.dataset;
  if (question && !confirm(question)) event.preventDefault();
});

/** Shows a secret, which comes as plain text, once; without this module the browser shows it alone. */
document.addEventListener("submit", async (event) => {
  const form = event.target;
  if (!("secret" in form.dataset)) return;
  event.preventDefault();
  const response = await fetch(form.action, { method: "POST", body: new URLSearchParams(new FormData(form)) });
  const text = await response.text();
  if (!response.headers.get("content-type").startsWith("text/plain")) {
    document.querySelector("main").replaceWith(new DOMParser().parseFromString(text, "text/html").querySelector("main"));
    return;
  }
  const dialog = document.createElement("dialog");
  const output = document.createElement("output");
  output.textContent = text;
  const close = document.createElement("button");
  close.textContent = "I have kept it";
  close.addEventListener("click", () => { dialog.remove(); location.reload(); });
  dialog.append("The secret, shown this once:", output, close);
  document.body.append(dialog);
  dialog.showModal();
});
