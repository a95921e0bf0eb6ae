/** The page's side of the room: what client.js brings is shown, what is typed is sent. */
import { connect, longPoll } from "../fairway/client.js";

const $ = (id) => document.getElementById(id);
const form = $("composer");
const memory = { name: "harbour:name", theme: "theme" };

/* posts */

const known = () => [...$("posts").children];
const myName = () => $("name").value.trim();
const isAtEnd = () => $("log").scrollHeight - $("log").scrollTop - $("log").clientHeight < 80;
const clock = new Intl.DateTimeFormat(undefined, { hour: "2-digit", minute: "2-digit" });

const hueOf = (name) => [...name].reduce((sum, one) => (sum * 31 + one.codePointAt(0)) % 360, 7);

function dress(item) {
  item.style.setProperty("--hue", hueOf(item.dataset.name));
  item.classList.toggle("mine", item.dataset.name === myName());
  const time = item.querySelector("time");
  time.textContent = clock.format(new Date(time.dateTime));
}

function draw({ id, name, text, door, at }) {
  const item = $("post").content.firstElementChild.cloneNode(true);
  Object.assign(item.dataset, { id, name });
  item.querySelector(".avatar").textContent = [...name][0].toUpperCase();
  item.querySelector(".name").textContent = name;
  item.querySelector(".door span").textContent = door;
  item.querySelector(".door use").setAttribute("href", `#icon-${door}`);
  item.querySelector("time").dateTime = at;
  item.querySelector(".text").textContent = text;
  dress(item);
  return item;
}

/** Posts of different workers may overtake each other: the list is kept in order of id. */
function show(post, isNew) {
  const after = known().findLast((item) => Number(item.dataset.id) <= post.id);
  if (Number(after?.dataset.id) === post.id) return;
  const item = draw(post);
  item.classList.toggle("new", isNew);
  if (after) after.after(item);
  else $("posts").prepend(item);
}

function toEnd() {
  $("log").scrollTop = $("log").scrollHeight;
}

/* the connection */

const socket = connect(form.dataset.socket);
const sent = [];

const receivers = {
  history({ posts }) {
    for (const post of posts) show(post, false);
    toEnd();
  },
  post(post) {
    const follow = isAtEnd() || post.name === myName();
    show(post, true);
    if (follow) toEnd();
    knock(post.door);
    const mine = sent.findIndex(({ text }) => post.name === myName() && text === post.text);
    if (mine >= 0) measure(performance.now() - sent.splice(0, mine + 1).at(-1).at);
  },
  here({ count }) {
    $("here").hidden = false;
    $("here").querySelector("span").textContent = `${count} here`;
  },
  you({ name }) {
    if (!myName()) $("name").value = name;
    known().forEach(dress);
  },
  note({ text }) {
    $("notice").textContent = text;
  },
};

socket.addEventListener("message", ({ data }) => {
  const { kind, ...facts } = JSON.parse(data);
  receivers[kind]?.(facts);
});
socket.addEventListener("open", () => {
  if (myName()) socket.send(`/name ${myName()}`);
  tellWaiting();
});
socket.addEventListener("dropped", ({ detail }) => {
  $("notice").textContent = `Not sent: “${detail.data}”`;
});
addEventListener("online", () => socket.retry());
$("retry").addEventListener("click", () => socket.retry());

/* its state, where everybody sees it */

let countdown;

function say(state, text) {
  clearInterval(countdown);
  $("status").dataset.state = state;
  $("status").querySelector(".what").textContent = text;
  $("status").querySelector(".when").textContent = "";
  $("retry").hidden = state !== "reconnecting";
}
say("connecting", "Connecting");
const carriers = { websocket: "WebSocket", events: "server-sent events", poll: "long-poll" };
socket.addEventListener("open", () => {
  say("open", "Connected");
  $("carrier").textContent = carriers[socket.transport] ?? "WebSocket";
});
socket.addEventListener("close", ({ reason }) => say("closed", reason || "Closed"));
socket.addEventListener("reconnecting", ({ detail }) => {
  const due = performance.now() + detail.delay;
  const tick = () => {
    const seconds = Math.max(0, Math.ceil((due - performance.now()) / 1000));
    $("status").querySelector(".when").textContent = seconds ? `in ${seconds} s` : "";
  };
  say("reconnecting", "Reconnecting");
  tick();
  countdown = setInterval(tick, 250);
});

function tellWaiting() {
  const count = socket.state === "open" ? 0 : socket.waiting;
  $("notice").textContent = count ? `${count} waiting until the connection is back` : "";
}

/** Light the door that a post came by. */
function knock(door) {
  const card = document.querySelector(`[data-door="${door}"]`);
  const last = card?.querySelector(".last");
  if (last) last.textContent = `Last used ${clock.format(new Date())}.`;
  $("channel").textContent = `${door}.${door === "http" ? "request" : "receive"}`;
  card?.classList.add("used");
  setTimeout(() => card?.classList.remove("used"), 150);
}

/** Show the way there and back. */
function measure(milliseconds) {
  $("trip").hidden = false;
  $("trip").querySelector("output").textContent = `${milliseconds.toFixed(1)} ms`;
  $("way").classList.remove("busy");
  requestAnimationFrame(() => $("way").classList.add("busy"));
}

/* what the visitor does */

form.addEventListener("submit", (event) => {
  event.preventDefault();
  const text = $("text").value.trim();
  if (!text) return;
  if (!socket.send(text)) return;
  sent.push({ text, at: performance.now() });
  $("text").value = "";
  tellWaiting();
});
$("name").addEventListener("change", () => {
  localStorage.setItem(memory.name, myName());
  if (myName() && socket.state === "open") socket.send(`/name ${myName()}`);
  known().forEach(dress);
});
$("theme").addEventListener("click", () => {
  const root = document.documentElement;
  const system = matchMedia("(prefers-color-scheme: dark)").matches ? "dark" : "light";
  const next = (root.dataset.theme || system) === "dark" ? "light" : "dark";
  root.dataset.theme = next;
  localStorage.setItem(memory.theme, next);
});
for (const button of document.querySelectorAll(".copy")) {
  button.hidden = !navigator.clipboard;
  button.addEventListener("click", async () => {
    await navigator.clipboard.writeText(button.previousElementSibling.textContent);
    button.classList.add("done");
    button.querySelector("use").setAttribute("href", "#icon-done");
    setTimeout(() => {
      button.classList.remove("done");
      button.querySelector("use").setAttribute("href", "#icon-copy");
    }, 1500);
  });
}

/* the other doors of this page: a window by long-poll, and the phone, which has a page of its own */

function openWindow(section) {
  const lines = section.querySelector(".lines");
  const form = section.querySelector("form");
  let link;
  const enter = () => {
    const { socket: url, poll } = section.dataset;
    const made = connect(url, { poll, transports: [longPoll], storage: () => sessionStorage });
    made.addEventListener("message", ({ data }) => {
      const line = document.createElement("li");
      line.textContent = data;
      lines.append(line);
      while (lines.children.length > 100) lines.firstChild.remove();
      line.scrollIntoView({ block: "nearest" });
    });
    return made;
  };
  form.addEventListener("submit", (event) => {
    event.preventDefault();
    link ??= enter();
    if (link.send(form.text.value)) form.reset();
  });
  section.hidden = false;
}
if ($("window")) openWindow($("window"));
if ($("phone")) $("phone").hidden = false;

$("name").value ||= localStorage.getItem(memory.name) ?? "";
known().forEach(dress);
toEnd();
