/** What tests of client.js have in the page: a clock, transports and a record of events. */
import { connect, eventStream, longPoll, webSocket } from "/client.js";

/** A clock that stands still until it is told to go on. */
class Clock {
  time = 0;
  #timers = new Map();
  #next = 0;
  now = () => this.time;
  after = (delay, call) => {
    this.#timers.set(++this.#next, { due: this.time + delay, call });
    return this.#next;
  };
  cancel = (timer) => this.#timers.delete(timer);
  go(milliseconds) {
    this.time += milliseconds;
    for (const [timer, { due, call }] of [...this.#timers])
      if (due <= this.time && this.#timers.delete(timer)) call();
  }
}

/** A transport whose links the test opens and closes; `links` has them in order. */
const scripted = (name, links) => ({
  name,
  open(target, events) {
    const link = { name, target, ...events, sent: [], closedWith: null, left: 0 };
    links.push(link);
    return {
      send: (data) => link.sent.push(data),
      close: (...how) => (link.closedWith = how),
      unsent: () => link.left,
    };
  },
});

const KINDS = ["open", "message", "reconnecting", "close", "dropped", "state"];

/** Keep every event as [type, facts]; `next(type, n)` waits for the nth of a type. */
function record(connection) {
  const events = [];
  const waiting = [];
  const nth = (type, n) => events.filter(([one]) => one === type)[n - 1]?.[1];
  for (const type of KINDS)
    connection.addEventListener(type, (event) => {
      const { data, code, reason } = event;
      events.push([type, event.detail ?? (type === "message" ? { data } : { code, reason })]);
      for (const look of waiting) look();
    });
  const next = (type, n = 1) =>
    new Promise((resolve) => {
      const look = () => nth(type, n) !== undefined && resolve(nth(type, n));
      waiting.push(look);
      look();
    });
  const of = (type) => events.filter(([one]) => one === type).map(([, facts]) => facts);
  return { events, next, of };
}

/** A connection over scripted transports, with nothing left to chance. */
function rehearse(options = {}, names = ["first"]) {
  const links = [];
  const clock = new Clock();
  const transports = names.map((name) => scripted(name, links));
  const settings = { transports, clock, random: () => 1, ...options };
  const connection = connect("/anywhere/", settings);
  const { events, next, of } = record(connection);
  const last = () => links.at(-1);
  const fail = (code = 1006) => last().closed({ code, reason: "" });
  const delays = () => of("reconnecting").map(({ delay }) => delay);
  return { connection, links, clock, events, next, of, last, fail, delays };
}

/** Lose link after link: [times] failed handshakes, each retried when it is due. */
function outage(stage, times) {
  for (let n = 0; n < times; n += 1) {
    stage.fail();
    stage.clock.go(stage.delays().at(-1));
  }
}

/** A test that waits in vain says so while its page can still be closed. */
function inTime(work) {
  const late = (_, fail) => setTimeout(() => fail(new Error("waited in vain")), 30000);
  return Promise.race([work, new Promise(late)]);
}

Object.assign(window, { connect, eventStream, longPoll, webSocket, record, rehearse, outage, inTime });
document.title = "ready";
