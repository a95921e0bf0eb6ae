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
 * broke is not sent again (`reconnecting` says how many bytes are known to be lost), and
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
 * @typedef {{url: URL, protocols: string[]}} Target where to: an absolute http(s) URL, and
 *     the subprotocols to offer
 * @typedef {object} LinkEvents what a link reports, from after `open` has returned
 * @property {(protocol: string) => void} opened with the chosen subprotocol
 * @property {(data: string | ArrayBuffer) => void} message
 * @property {(closing: Closing) => void} closed once; alone: the handshake failed
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
const RESTART = 1012;
// The server meant it, and would say so again.
const FINAL = new Set([1000, 1002, 1003, 1007, 1008, 1010]);

/** @type {Options} */
const DEFAULTS = {
  protocols: [],
  transports: [webSocket],
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
    this.#target = { url: address, protocols: this.#options.protocols };
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
    /** @type {(report: (fact: any) => void) => (fact: any) => void} */
    const current = (report) => (fact) => this.#link === link && report(fact);
    const opened = current((protocol) => this.#opened(protocol));
    const message = current((data) => this.dispatchEvent(new MessageEvent("message", { data })));
    const closed = current((closing) => this.#closed(closing));
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
    this.#options.clock.cancel(this.#timer);
    this.#failures = 0;
    this.#openedAt = this.#options.clock.now();
    this.#memory((storage, key) => storage.setItem(key, transport));
    this.#enter("open");
    this.#tell("open", { transport, protocol, again: this.#again });
    this.#again = true;
    for (const message of this.#outbox.splice(0)) this.send(message);
  }

  /** @param {Closing} closing */
  #closed(closing) {
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
    if (!opened) this.#failures = (this.#failures + 1) % failures;
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
    /** @type {(sum: number, data: any) => number} */
    const add = (sum, data) => sum + (data.size ?? data.byteLength ?? data.length);
    const size = [...this.#outbox, message].reduce(add, 0);
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
