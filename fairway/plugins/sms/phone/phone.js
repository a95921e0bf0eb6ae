/** A phone in the browser: texts go out by POST, what happens comes as a stream. */
const $ = (id) => document.getElementById(id);
const root = document.documentElement;
const clock = new Intl.DateTimeFormat(undefined, { hour: "2-digit", minute: "2-digit" });

/* as the page around it looks */
root.toggleAttribute("data-embedded", window !== window.top);
const dress = () => { root.dataset.theme = localStorage.getItem("theme") ?? ""; };
addEventListener("storage", dress);
dress();

/* a number of its own for each tab, out of those that belong to nobody */
const fictional = () => `+467017406${String(10 + Math.floor(Math.random() * 90)).padStart(2, "0")}`;
const asked = new URLSearchParams(location.search).get("number");
$("number").value = asked ?? sessionStorage.getItem("phone") ?? fictional();

function show(text) {
  const before = document.querySelector(`[data-n="${text.n}"]`);
  const item = before ?? $("one").content.firstElementChild.cloneNode(true);
  item.classList.toggle("incoming", text.incoming);
  Object.assign(item.dataset, { n: text.n, status: text.status });
  item.querySelector(".bubble").textContent = [text.text, ...text.media].join("\n").trim();
  item.querySelector("time").dateTime = text.at;
  item.querySelector("time").textContent = clock.format(new Date(text.at));
  item.querySelector(".status").textContent = text.status;
  item.title = text.incoming ? `from ${text.ours}` : `to ${text.ours}`;
  if (before) return;
  $("texts").append(item);
  $("log").scrollTop = $("log").scrollHeight;
}

function showPhone({ ours, reachable }) {
  $("reachable").checked = reachable;
  $("reachable").nextElementSibling.textContent = reachable ? "On" : "Off";
  if ([...$("to").options].map(({ value }) => value).join() !== ours.join()) {
    $("to").replaceChildren(...ours.map((one) => new Option(one, one)));
  }
}

let stream;
function listen() {
  stream?.close();
  $("texts").replaceChildren();
  $("notice").textContent = "";
  sessionStorage.setItem("phone", $("number").value);
  tell("connecting", "Connecting");
  stream = new EventSource(`events/?number=${encodeURIComponent($("number").value)}`);
  stream.addEventListener("begin", ({ data }) => {
    $("texts").replaceChildren();
    showPhone(JSON.parse(data));
    tell("open", "Live");
  });
  stream.addEventListener("phone", ({ data }) => showPhone(JSON.parse(data)));
  stream.addEventListener("text", ({ data }) => show(JSON.parse(data)));
  stream.addEventListener("error", () => {
    const refused = stream.readyState === EventSource.CLOSED;
    tell("connecting", refused ? "No connection" : "Reconnecting");
    if (refused) $("notice").textContent = "Is this a number, such as +46701740605?";
  });
}

function tell(state, text) {
  $("phone").dataset.state = state;
  $("state").textContent = text;
}

async function post(path, what) {
  try {
    const answer = await fetch(path, {
      method: "POST",
      headers: { "Content-Type": "application/json" },
      body: JSON.stringify(what),
    });
    $("notice").textContent = answer.ok ? "" : `Not taken: ${answer.status === 503 ? "the site is busy" : await answer.text()}`;
    return answer.ok;
  } catch {
    $("notice").textContent = "Not taken: the site does not answer";
    return false;
  }
}

async function send(text) {
  return post("texts/", { number: $("number").value, text, to: $("to").value });
}

$("composer").addEventListener("submit", async (event) => {
  event.preventDefault();
  const text = $("text").value;
  if (!text.trim()) return;
  $("text").value = "";
  count();
  if (!(await send(text)) && !$("text").value) $("text").value = text;
});
$("text").addEventListener("keydown", (event) => {
  if (event.key === "Enter" && !event.shiftKey && !event.isComposing) {
    event.preventDefault();
    $("composer").requestSubmit();
  }
});
const count = () => { $("length").textContent = $("text").value.length || ""; };
$("text").addEventListener("input", count);
for (const button of document.querySelectorAll("[data-word]")) {
  button.addEventListener("click", () => send(button.dataset.word));
}
$("number").addEventListener("change", listen);
$("reachable").addEventListener("change", ({ target }) =>
  post("reception/", { number: $("number").value, reachable: target.checked }));
listen();
