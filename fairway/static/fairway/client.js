/**
 * fairway in the browser: one connection that stays, whatever carries it.
 *
 *     import { connect } from "/static/fairway/client.js";
 *
 *     const connection = connect("/chat/");
 *     connection.addEventListener("message", (event) => show(event.data));
 *     connection.send("hello");
 *
 * Messages are delivered in order and at most once: what was handed to a link that then
 * broke is not sent again (`reconnecting` says how many bytes may be lost), and
 * what could not be sent at all is announced by `dropped`. Heartbeats are the server's.
 */

/**
 * @typedef {string | ArrayBuffer | ArrayBufferView | Blob} Data
 * @typedef {"connecting" | "open" | "reconnecting" | "closing" | "closed"} State
 * @typedef {{code: number, reason: string}} Closing as a WebSocket's; 1006 for no reason given
 *
 * @typedef {object} Transport a way to reach the server
 * @property {string} name
 * @property {(target: Target, events: LinkEvents) => Link} open begin one attempt; throws
 *     only what no second attempt could mend
 * @typedef {{url: URL, poll: URL, protocols: string[]}} Target where to: an absolute http(s)
 *     URL, the same conversation by long-poll, and the subprotocols to offer
 * @typedef {object} LinkEvents what a link reports, from after `open` has returned
 * @property {(protocol: string) => void} opened with the chosen subprotocol
 * @property {(data: string | ArrayBuffer) => void} message
 * @property {(closing: Closing, unfit?: boolean) => void} closed once; alone: the handshake
 *     failed; unfit: it would again, so the next transport's turn comes at once
 * @typedef {object} Link one attempt
 * @property {(data: Data) => void} send called between `opened` and `closed` only
 * @property {(code?: number, reason?: string) => void} close `closed` must follow
 * @property {() => number} unsent bytes that were sent but have not left
 *
 * @typedef {{now(): number, after(delay: number, call: () => void): any,
 *     cancel(timer: any): void}} Clock in milliseconds
 *
 * @typedef {object} Options
 * @property {string[]} protocols subprotocols to offer, the preferred one first
 * @property {Transport[]} transports the preferred one first
 * @property {string} poll path of the server's long-poll
 * @property {number} failures failed handshakes in a row until the next transport's turn
 * @property {number} attempts retries in a row until it gives up
 * @property {number} delay ms; the first retry waits a random part of it
 * @property {number} maxDelay ms; the longest wait, reached by doubling
 * @property {number} settled ms that a link stays open to count as a success
 * @property {number} handshake ms until a handshake has failed
 * @property {number} outbox messages that may wait while there is no link
 * @property {number} outboxSize their bytes, or characters of text
 * @property {(closing: Closing) => boolean} reconnect whether to try again; by default not after
 *     1000, 1002, 1003, 1007, 1008, 1010 and the application's own 4000 to 4999
 * @property {() => Storage} storage remembers which transport worked
 * @property {Clock} clock
 * @property {() => number} random in [0, 1)
 */

/** @type {Transport} */
export const webSocket = {
  name: "websocket",
  open({ url, protocols }, events) {
    const address = new URL(url);
    address.protocol = url.protocol === "https:" ? "wss:" : "ws:";
    const socket = new WebSocket(address, protocols);
    socket.binaryType = "arraybuffer";
    socket.onopen = () => events.opened(socket.protocol);
    socket.onmessage = ({ data }) => events.message(data);
    socket.onclose = ({ code, reason }) => events.closed({ code, reason });
    return {
      send: (data) => socket.send(data),
      close: (code, reason) => socket.close(code, reason),
      unsent: () => socket.bufferedAmount,
    };
  },
};

const ABNORMAL = 1006;
const TOO_BIG = 1009;
const RESTART = 1012;
// The server meant it, and would say so again.
const FINAL = new Set([1000, 1002, 1003, 1007, 1008, 1010]);

// The longest wait for the first bytes of a stream; a proxy that keeps them is no way.
const FIRST_BYTES = 5_000;
// What one POST holds at most, besides one message of any size.
const BATCH = 100;
const BATCH_SIZE = 256 * 1024;
// Answers after which the same request may fare better.
const LATER = new Set([409, 429, 502, 503, 504]);

/** @type {(milliseconds: number) => Promise<void>} */
const sleep = (milliseconds) => new Promise((resolve) => setTimeout(resolve, milliseconds));

/** @type {(data: any) => number} bytes, or characters of text */
const sizeOf = (data) => data.size ?? data.byteLength ?? data.length;

/** @type {(data: any) => Promise<string | {bytes: string}>} */
const toJson = async (data) => {
  if (typeof data === "string") return data.toWellFormed?.() ?? data;
  const { buffer, byteOffset = 0, byteLength } = data instanceof Blob ? {} : data;
  const raw = data instanceof Blob ? await data.arrayBuffer() : (buffer ?? data);
  let text = "";
  for (const byte of new Uint8Array(raw, byteOffset, byteLength)) text += String.fromCharCode(byte);
  return { bytes: btoa(text) };
};

/** @type {(message: string | {bytes: string}) => string | ArrayBuffer} */
const fromJson = (message) =>
  typeof message === "string"
    ? message
    : Uint8Array.from(atob(message.bytes), (one) => one.charCodeAt(0)).buffer;

/** The conversation is over; no request of it will be answered. */
class Gone extends Error {}

/** A link of plain requests: POST to send, and one request after another to receive. */
class PollLink {
  /** @type {LinkEvents} */ #events;
  /** @type {URL} */ #url;
  /** @type {(link: PollLink) => Promise<void>} */ #receive;
  /** @type {Data[]} */ #outbox = []; // from the first one that the server may not have
  #first = 1; // its number
  #sending = false;
  #token = "";
  #heard = 0; // when the server last answered
  #ended = false;
  #over = new AbortController();
  /** The number of the last message that came. */ after = 0;
  /** Seconds. */ poll = 0;
  #idle = 0;
  isOpen = false;

  /** @param {Target} target @param {LinkEvents} events
   *  @param {(link: PollLink) => Promise<void>} receive until the end */
  constructor({ poll }, events, receive) {
    this.#url = poll;
    this.#events = events;
    this.#receive = receive;
    this.#begin();
  }

  async #begin() {
    try {
      const init = { method: "POST", body: "{}" };
      const answer = await this.#fetch(this.#url, init, this.#over.signal);
      if (!answer.ok) throw new Gone(`refused with ${answer.status}`);
      const { token, poll, idle } = await answer.json();
      [this.#token, this.poll, this.#idle] = [token, poll, idle];
      this.#heard = performance.now();
      await this.#receive(this);
    } catch (error) {
      this.end({ code: ABNORMAL, reason: error instanceof Gone ? error.message : "" });
    }
  }

  /** Messages go both ways now, or still. */
  opened() {
    if (!this.isOpen) this.#events.opened("");
    this.isOpen = true;
    this.#heard = performance.now();
  }

  /** @param {any} message */
  received(message) {
    if (this.#ended) return;
    this.after += 1;
    this.#events.message(fromJson(message));
  }

  /** Try no longer to make it work. @param {Closing} closing */
  abandon(closing) {
    const body = JSON.stringify({ close: {} });
    this.#fetch(this.#url, { method: "POST", body }, null).catch(() => {});
    this.end(closing, true);
  }

  /** @param {Closing} closing @param {boolean} [unfit] */
  end(closing, unfit) {
    if (this.#ended) return;
    this.#ended = true;
    this.#over.abort();
    this.#events.closed(closing, unfit);
  }

  /** @param {Data} data */
  send(data) {
    this.#outbox.push(data);
    this.#pump().catch(({ code = ABNORMAL, message }) => this.end({ code, reason: message }));
  }

  unsent() {
    return this.#outbox.reduce((sum, data) => sum + sizeOf(data), 0);
  }

  async close(code = 1000, reason = "") {
    if (this.#ended) return;
    this.#ended = true;
    this.#over.abort();
    await null; // `closed` follows, it does not come before this has returned
    for (let last = !this.#token; !last; ) {
      const { messages, first } = await this.#batch();
      last = messages.length === this.#outbox.length;
      const close = last ? { code, reason } : null;
      const body = JSON.stringify({ first, messages, close });
      const answer = await this.#fetch(this.#url, { method: "POST", body }, null).catch(() => null);
      if (!answer?.ok) break;
      this.#outbox.splice(0, messages.length);
      this.#first += messages.length;
    }
    this.#events.closed(this.#token ? { code, reason } : { code: ABNORMAL, reason: "" });
  }

  /** What one POST may hold of the outbox. */
  async #batch() {
    let [count, size] = [0, 0];
    while (count < Math.min(BATCH, this.#outbox.length) && size < BATCH_SIZE)
      size += sizeOf(this.#outbox[count++]);
    const first = this.#first;
    return { first, messages: await Promise.all(this.#outbox.slice(0, count).map(toJson)) };
  }

  async #pump() {
    if (this.#sending) return;
    this.#sending = true;
    while (this.#outbox.length && !this.#ended) {
      const body = JSON.stringify(await this.#batch());
      if (this.#ended) return; // `close` sends the rest
      const read = (/** @type {Response} */ answer) => answer.json();
      const { received } = await this.ask({ method: "POST", body }, this.#idle, read);
      if (received < this.#first) await sleep(500); // it ends; the reason is on its way
      if (this.#ended) return;
      this.#outbox.splice(0, received + 1 - this.#first);
      this.#first = received + 1;
    }
    this.#sending = false;
  }

  /**
   * Ask until there is an answer; what is asked may be asked twice.
   *
   * @template T
   * @param {RequestInit} init @param {number} seconds of one attempt
   * @param {(answer: Response, controller: AbortController) => Promise<T>} read
   * @returns {Promise<T>}
   */
  async ask(init, seconds, read) {
    for (let pause = 250; ; pause = Math.min(2 * pause, 4_000)) {
      const controller = new AbortController();
      const stop = () => controller.abort();
      this.#over.signal.addEventListener("abort", stop);
      const timer = setTimeout(stop, 1_000 * seconds);
      try {
        const url = new URL(this.#url);
        if (init.method !== "POST") url.searchParams.set("after", String(this.after));
        const answer = await this.#fetch(url, init, controller.signal);
        if (answer.status === 413) throw Object.assign(new Gone("too large"), { code: TOO_BIG });
        if (!answer.ok && !LATER.has(answer.status)) throw new Gone("the conversation is gone");
        if (answer.ok) {
          this.#heard = performance.now();
          const found = await read(answer, controller);
          this.#heard = performance.now();
          return found;
        }
      } catch (error) {
        if (error instanceof Gone || this.#ended) throw error;
      } finally {
        clearTimeout(timer);
        this.#over.signal.removeEventListener("abort", stop);
      }
      // All that time it may have waited, before the server began to miss it.
      if (performance.now() - this.#heard > 1_000 * (this.poll + this.#idle)) throw new Gone("no answer");
      await sleep(pause);
    }
  }

  /** @param {URL} url @param {RequestInit} init @param {AbortSignal | null} signal */
  #fetch(url, init, signal) {
    /** @type {Record<string, string>} */
    const headers = { ...init.headers };
    if (init.method === "POST") headers["Content-Type"] = "application/json";
    if (this.#token) headers["Fairway-Token"] = this.#token;
    return fetch(url, { ...init, headers, signal, credentials: "include", cache: "no-store" });
  }

  get ended() {
    return this.#ended;
  }
}

/** Read a stream of events. @param {PollLink} link @param {Response} answer
 *  @param {AbortController} controller of the request */
async function readStream(link, answer, controller) {
  const body = /** @type {ReadableStream<any>} */ (answer.body);
  const reader = body.pipeThrough(new TextDecoderStream()).getReader();
  let [rest, kind] = ["", ""];
  for (;;) {
    // Behind the first bytes something comes with every time of a poll.
    const patience = link.isOpen ? 1_000 * (link.poll + 10) : FIRST_BYTES;
    const timer = setTimeout(() => controller.abort(), patience);
    const { value, done } = await reader.read().finally(() => clearTimeout(timer));
    if (done) return;
    link.opened();
    const lines = (rest + value).split("\n");
    rest = /** @type {string} */ (lines.pop());
    for (const line of lines) {
      if (line.startsWith("event: ")) kind = line.slice(7);
      if (!line.startsWith("data: ")) continue;
      const data = JSON.parse(line.slice(6));
      if (kind === "close") return link.end(data);
      link.received(data);
    }
  }
}

/** Server-sent events. @type {Transport} */
export const eventStream = {
  name: "events",
  open: (target, events) =>
    new PollLink(target, events, async (link) => {
      const init = { headers: { Accept: "text/event-stream" } };
      const fit = setTimeout(() => {
        if (link.isOpen || link.ended) return;
        const closing = { code: ABNORMAL, reason: "no stream comes through" };
        link.abandon(closing);
      }, FIRST_BYTES);
      try {
        while (!link.ended)
          await link.ask(init, 2 ** 21, (answer, controller) => readStream(link, answer, controller));
      } finally {
        clearTimeout(fit);
      }
    }),
};

/** One request after another. @type {Transport} */
export const longPoll = {
  name: "poll",
  open: (target, events) =>
    new PollLink(target, events, async (link) => {
      link.opened();
      while (!link.ended) {
        const read = (/** @type {Response} */ answer) => answer.json();
        const { messages, close } = await link.ask({}, link.poll + 10, read);
        for (const message of messages) link.received(message);
        if (close) link.end(close);
      }
    }),
};

/** @type {Options} */
const DEFAULTS = {
  protocols: [],
  transports: [webSocket, eventStream, longPoll],
  poll: "/poll/",
  failures: 3,
  attempts: Infinity,
  delay: 1_000,
  maxDelay: 30_000,
  settled: 5_000,
  handshake: 15_000,
  outbox: 100,
  outboxSize: 1024 * 1024,
  reconnect: ({ code }) => !FINAL.has(code) && !(code >= 4000 && code < 5000),
  storage: () => sessionStorage,
  clock: {
    now: () => performance.now(),
    after: (delay, call) => setTimeout(call, delay),
    cancel: (timer) => clearTimeout(timer),
  },
  random: Math.random,
};

/** @type {(data: any) => Data} */
const encode = (data) => {
  const ready = typeof data === "string" || data instanceof Blob;
  if (ready || data instanceof ArrayBuffer || ArrayBuffer.isView(data)) return data;
  const text = JSON.stringify(data);
  if (text === undefined) throw new TypeError(`${typeof data} cannot be sent`);
  return text;
};

/**
 * A connection to one URL. Its events, and in braces what is in their `detail`:
 *
 * - `open` {transport, protocol, again}; what listeners send goes before what waits
 * - `message`, a MessageEvent: `data` is a string or an ArrayBuffer
 * - `reconnecting` {attempt, delay, code, reason, unsent}: a link ended, a retry follows
 * - `close`, a CloseEvent: no retry will follow
 * - `dropped` {data, why}: never sent, because the outbox is "full" or all is "closed"
 * - `state` {state, before}
 */
export class Connection extends EventTarget {
  /** Messages that were never sent. */ dropped = 0;
  /** @type {Options} */ #options;
  /** @type {Target} */ #target;
  /** @type {State} */ #state = "connecting";
  /** @type {Link | null} */ #link = null;
  /** @type {any} */ #timer = null; // of the handshake, or until the next attempt
  /** @type {Data[]} */ #outbox = [];
  #turn = 0; // which transport
  #best = Infinity; // the most preferred one that ever opened
  #failures = 0; // handshakes that it failed in a row
  #attempt = 0; // retries since a link last settled
  #openedAt = NaN;
  #again = false;

  /** @param {string | URL} url may be relative to the page @param {Partial<Options>} [options] */
  constructor(url, options = {}) {
    super();
    this.#options = { ...DEFAULTS, ...options };
    const address = new URL(url, globalThis.document?.baseURI);
    address.protocol = address.protocol.replace(/^ws/, "http");
    address.hash = "";
    const poll = new URL(this.#options.poll, address);
    poll.pathname += address.pathname.slice(1);
    poll.search = address.search;
    this.#target = { url: address, poll, protocols: this.#options.protocols };
    const worked = this.#memory((storage, key) => storage.getItem(key));
    const turn = this.#options.transports.findIndex(({ name }) => name === worked);
    this.#turn = Math.max(0, turn);
    this.#connect();
  }

  /** @returns {State} */
  get state() {
    return this.#state;
  }

  /** The name of the transport in use, or whose turn it is. */
  get transport() {
    return this.#options.transports[this.#turn].name;
  }

  /** Messages that wait for a link. */
  get waiting() {
    return this.#outbox.length;
  }

  /**
   * Send text, bytes, or anything else as JSON; without a link it waits in the outbox.
   *
   * @param {any} data
   * @returns {boolean} false when it was dropped
   */
  send(data) {
    const message = encode(data);
    if (this.#state === "open") this.#link?.send(message);
    else return this.#keep(message);
    return true;
  }

  /**
   * Close for good; what waits is dropped.
   *
   * @param {number} code 1000, or 3000 to 4999
   * @param {string} reason at most 123 bytes
   */
  close(code = 1000, reason = "") {
    if (code !== 1000 && !(code >= 3000 && code < 5000))
      throw new RangeError(`close code ${code} is neither 1000 nor 3000 to 4999`);
    if (this.#state === "closing" || this.#state === "closed") return;
    this.#options.clock.cancel(this.#timer);
    if (!this.#link) return this.#end({ code, reason });
    this.#link.close(code, reason);
    this.#enter("closing");
  }

  /** End the wait for the next attempt, as when the network has come back. */
  retry() {
    if (this.#state !== "reconnecting" || this.#link) return;
    this.#options.clock.cancel(this.#timer);
    this.#connect();
  }

  #connect() {
    const { transports, clock, handshake } = this.#options;
    /** @type {(report: (...facts: any[]) => void) => (...facts: any[]) => void} */
    const current =
      (report) =>
      (...facts) =>
        this.#link === link && report(...facts);
    const opened = current((protocol) => this.#opened(protocol));
    const message = current((data) => this.dispatchEvent(new MessageEvent("message", { data })));
    const closed = current((closing, unfit) => this.#closed(closing, unfit));
    const link = transports[this.#turn].open(this.#target, { opened, message, closed });
    this.#link = link;
    this.#timer = clock.after(handshake, () => {
      closed({ code: ABNORMAL, reason: "no handshake in time" });
      link.close();
    });
  }

  /** @param {string} protocol */
  #opened(protocol) {
    const { transport } = this;
    this.#best = Math.min(this.#best, this.#turn);
    const best = this.#options.transports[this.#best].name;
    this.#options.clock.cancel(this.#timer);
    this.#failures = 0;
    this.#openedAt = this.#options.clock.now();
    this.#memory((storage, key) => storage.setItem(key, best));
    this.#enter("open");
    this.#tell("open", { transport, protocol, again: this.#again });
    this.#again = true;
    for (const message of this.#outbox.splice(0)) this.send(message);
  }

  /** @param {Closing} closing @param {boolean} [unfit] */
  #closed(closing, unfit = false) {
    const { clock, settled, attempts, reconnect, transports, failures } = this.#options;
    const { delay, maxDelay, random } = this.#options;
    const unsent = this.#link?.unsent();
    const opened = this.#state === "open";
    clock.cancel(this.#timer);
    this.#link = null;
    const success = opened && clock.now() - this.#openedAt >= settled;
    if (success || closing.code === RESTART) this.#attempt = 0;
    if (this.#state === "closing" || this.#attempt >= attempts || !reconnect(closing))
      return this.#end(closing);
    // A link of another transport was a makeshift while the server was away.
    if (opened) this.#turn = this.#best;
    if (!opened) this.#failures = unfit ? 0 : (this.#failures + 1) % failures;
    if (!opened && this.#failures === 0) this.#turn = (this.#turn + 1) % transports.length;
    // Full jitter: clients that lost one server together come back spread out.
    const wait = random() * Math.min(maxDelay, delay * 2 ** this.#attempt);
    this.#attempt += 1;
    this.#timer = clock.after(wait, () => this.#connect());
    this.#enter("reconnecting");
    this.#tell("reconnecting", { ...closing, attempt: this.#attempt, delay: wait, unsent });
  }

  /** @param {Closing} closing */
  #end({ code, reason }) {
    this.#enter("closed");
    for (const message of this.#outbox.splice(0)) this.#drop(message, "closed");
    this.dispatchEvent(new CloseEvent("close", { code, reason, wasClean: code !== ABNORMAL }));
  }

  /** @param {Data} message */
  #keep(message) {
    const { outbox, outboxSize } = this.#options;
    const size = [...this.#outbox, message].reduce((sum, data) => sum + sizeOf(data), 0);
    if (this.#state === "closing" || this.#state === "closed") return this.#drop(message, "closed");
    if (this.#outbox.length >= outbox || size > outboxSize) return this.#drop(message, "full");
    return this.#outbox.push(message) > 0;
  }

  /** @param {Data} data @param {"full" | "closed"} why */
  #drop(data, why) {
    this.dropped += 1;
    this.#tell("dropped", { data, why });
    return false;
  }

  /** @param {State} state */
  #enter(state) {
    const before = this.#state;
    this.#state = state;
    if (state !== before) this.#tell("state", { state, before });
  }

  /** @param {string} type @param {object} detail */
  #tell(type, detail) {
    this.dispatchEvent(new CustomEvent(type, { detail }));
  }

  /** @param {(storage: Storage, key: string) => any} use */
  #memory(use) {
    const { host, pathname } = this.#target.url;
    try {
      return use(this.#options.storage(), `fairway:${host}${pathname}`);
    } catch {
      return null; // storage may be forbidden or full; it is a convenience
    }
  }
}

/** @param {string | URL} url @param {Partial<Options>} [options] see `Connection` */
export const connect = (url, options) => new Connection(url, options);
