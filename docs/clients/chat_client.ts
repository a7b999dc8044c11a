// A client of the chat socket: connect, heartbeat, resume, resend.
//
// One file without dependencies, for browsers and Node. The types of the events are those that
// were generated from the project's own contract:
//
//     const chat = new ChatClient<ClientEvent, ServerEvent>("wss://example.org/messaging/");
//     chat.on("message.dispatch", (message) => show(message.content));
//     chat.connect();

/** Any event that a client sends: what a generated `ClientEvent` is a union of. */
export interface Sent {
  event_type: string;
  data?: unknown;
}

/** Any event that a client receives: what a generated `ServerEvent` is a union of. */
export interface Received {
  eventType: string;
  data: unknown;
}

/** The data of the event `Name`, out of a union of events. */
export type SentData<Events, Name> = Events extends { event_type: infer Type; data?: infer Data }
  ? Name extends Type ? Data : never
  : never;
export type ReceivedData<Events, Name> = Events extends { eventType: infer Type; data: infer Data }
  ? Name extends Type ? Data : never
  : never;

export type State = "connecting" | "ready" | "waiting" | "closed";

export interface Options {
  /** For Node before 22: the class of the `ws` package. */
  WebSocket?: typeof WebSocket;
  /** The state of the connection changed; the code is that of the close which led to it. */
  onState?: (state: State, code?: number) => void;
  /** The log no longer reaches back: fetch the room (or, for `user:…`, the rooms) afresh. */
  onRefetch?: (stream: string) => void;
  /** The user no longer has this stream: forget the room. */
  onGone?: (stream: string) => void;
  /** The server refused a frame that nobody waits for. */
  onRefused?: (refused: Refused) => void;
  /** Every frame as it passes, for logs. */
  onFrame?: (direction: "in" | "out", text: string) => void;
}

/** An error of the server about one event. */
export class Refused extends Error {
  /** Null for an event that the server does not know. */
  readonly code: number | null;
  readonly detail: unknown;

  constructor(code: number | null, detail: unknown) {
    super(`refused (${code ?? "unknown event"}): ${JSON.stringify(detail)}`);
    this.code = code;
    this.detail = detail;
  }
}

/** The connection broke before the answer came: whether the event happened is not known. */
export class ConnectionLost extends Error {}

/** What any frame of the server may have. */
interface Frame {
  eventType?: string;
  data?: any;
  error?: { code: number; detail: any } | string;
  status?: string;
  request_id?: string | number;
  stream?: string;
  seq?: number;
}

interface Waiting {
  answer: string | undefined;
  resolve: (data: any) => void;
  reject: (error: Error) => void;
}

interface Unconfirmed {
  data: { client_id?: string | null };
  resolve: (clientId: string) => void;
  reject: (error: Error) => void;
}

const TOO_LARGE = 1009; // a frame that was too large would be so again
const NOT_AUTHENTICATED = 4001; // log in again: trying again is of no use
const TOO_MANY = 4029; // limits were ignored: wait longer before the next attempt
const RETRY_LATER = new Set<number | null>([4029, 4503]); // the same may succeed after `retry_after`
const HEARTBEAT_MS = 20_000;
const LONGEST_PAUSE_MS = 30_000;
const OPEN = 1;

/**
 * Keeps one connection until it is closed, or the server no longer knows the user.
 *
 * Every stored event reaches the listeners once and in order, and every message is sent once,
 * however often the connection breaks.
 */
export class ChatClient<Out extends Sent = Sent, In extends Received = Received> {
  readonly url: string;
  /** How far this client has come in each stream. */
  readonly positions: Record<string, number> = {};
  state: State = "closed";

  private readonly options: Options;
  private socket: WebSocket | null = null;
  private readonly listeners = new Map<string, Set<(data: any) => void>>();
  private readonly waiting = new Map<string | number, Waiting>();
  private readonly unconfirmed = new Map<string | number, Unconfirmed>();
  private heartbeat: ReturnType<typeof setInterval> | undefined;
  private reconnect: ReturnType<typeof setTimeout> | undefined;
  private attempt = 0;
  private asked = 0;
  private replays = false;

  constructor(url: string, options: Options = {}) {
    this.url = url;
    this.options = options;
  }

  /** Calls the listener with the data of every event of that name; returns how to stop that. */
  on<Name extends In["eventType"]>(
    name: Name,
    listener: (data: ReceivedData<In, Name>) => void,
  ): () => void {
    const listeners = this.listeners.get(name) ?? new Set();
    this.listeners.set(name, listeners.add(listener));
    return () => void listeners.delete(listener);
  }

  /** Connects, and stays connected. */
  connect(): void {
    clearTimeout(this.reconnect);
    if (this.socket !== null) return;
    const socket = new (this.options.WebSocket ?? WebSocket)(this.url);
    this.socket = socket;
    this.change("connecting");
    socket.onopen = () => {
      this.replays = Object.keys(this.positions).length > 0;
      this.write({ event_type: "session.resume", data: { streams: this.positions } });
      this.heartbeat = setInterval(
        () => this.write({ event_type: "session.heartbeat", data: {} }),
        HEARTBEAT_MS,
      );
    };
    socket.onmessage = ({ data }) => {
      this.options.onFrame?.("in", data);
      this.take(JSON.parse(data) as Frame);
    };
    socket.onerror = () => {}; // a close follows, and decides
    socket.onclose = ({ code }) => {
      if (this.socket === socket) this.lost(code);
    };
  }

  /** Closes the connection for good; `connect` opens it again and resumes. */
  close(): void {
    clearTimeout(this.reconnect);
    const socket = this.socket;
    this.ended();
    socket?.close(1000);
    if (this.state !== "closed") this.change("closed", 1000);
  }

  /**
   * Sends an event, and resolves when the server has done it: to the data of its answer.
   *
   * `answer` is the `eventType` of the private answer, for events that have one. Rejects with
   * `Refused` or `ConnectionLost`.
   */
  ask<Name extends Out["event_type"], Answer extends In["eventType"] = never>(
    name: Name,
    data: SentData<Out, Name>,
    answer?: Answer,
  ): Promise<[Answer] extends [never] ? void : ReceivedData<In, Answer>> {
    const requestId = `ask-${++this.asked}`;
    return new Promise((resolve, reject) => {
      this.waiting.set(requestId, { answer, resolve, reject });
      if (!this.write({ event_type: name, data, request_id: requestId })) {
        this.waiting.delete(requestId);
        reject(new ConnectionLost("not connected"));
      }
    });
  }

  /**
   * Sends a message once, however often the connection breaks, and resolves to its `client_id`
   * when the server has stored it. Rejects with `Refused`.
   */
  sendMessage(data: SentData<Out, "message.send">): Promise<string> {
    const given = data as { client_id?: string | null };
    const clientId = given.client_id ?? randomId();
    return new Promise((resolve, reject) => {
      this.unconfirmed.set(clientId, { data: { ...given, client_id: clientId }, resolve, reject });
      if (this.state === "ready") this.sendUnconfirmed(clientId);
    });
  }

  /** Sends a frame as it is; tells whether there was a connection for it. */
  post(text: string): boolean {
    if (this.socket?.readyState !== OPEN) return false;
    this.options.onFrame?.("out", text);
    this.socket.send(text);
    return true;
  }

  private write(frame: Sent & { request_id?: string }): boolean {
    return this.post(JSON.stringify(frame));
  }

  private sendUnconfirmed(clientId: string | number): void {
    const data = this.unconfirmed.get(clientId)?.data;
    if (data) this.write({ event_type: "message.send", data, request_id: String(clientId) });
  }

  private take(frame: Frame): void {
    const requestId = frame.request_id;
    if (requestId !== undefined && this.waiting.has(requestId)) {
      this.answered(requestId, frame);
    } else if (requestId !== undefined && this.unconfirmed.has(requestId)) {
      this.confirmed(requestId, frame);
    } else if (frame.error !== undefined) {
      this.options.onRefused?.(refused(frame.error));
    } else if (frame.eventType === "session.resumed") {
      this.resumed(frame.data.streams);
    } else if (frame.stream !== undefined && frame.seq !== undefined) {
      if (frame.seq > (this.positions[frame.stream] ?? 0)) {
        this.positions[frame.stream] = frame.seq;
        this.emit(frame);
      }
    } else if (this.state === "ready" || !this.replays || frame.eventType === "chat.notifications") {
      this.emit(frame); // typing has no place in a stream
    }
    // Any other event before `session.resumed` comes again, in its place, in the replay.
  }

  private emit({ eventType, data }: Frame): void {
    for (const listener of this.listeners.get(eventType ?? "") ?? []) listener(data);
  }

  private answered(requestId: string | number, frame: Frame): void {
    const { answer, resolve, reject } = this.waiting.get(requestId)!;
    this.waiting.delete(requestId);
    if (frame.error !== undefined) reject(refused(frame.error));
    else resolve(answer !== undefined && frame.eventType === answer ? frame.data : undefined);
  }

  private confirmed(clientId: string | number, { error }: Frame): void {
    const { resolve, reject } = this.unconfirmed.get(clientId)!;
    const problem = error === undefined ? null : refused(error);
    if (problem !== null && RETRY_LATER.has(problem.code)) {
      const { retry_after: seconds } = problem.detail as { retry_after: number };
      setTimeout(() => this.sendUnconfirmed(clientId), seconds * 1000);
      return;
    }
    this.unconfirmed.delete(clientId);
    if (problem === null) resolve(String(clientId));
    else reject(problem);
  }

  private resumed(streams: Record<string, { seq: number; recovered: boolean } | { gone: true }>): void {
    for (const [stream, place] of Object.entries(streams)) {
      if ("gone" in place) {
        delete this.positions[stream];
        this.options.onGone?.(stream);
        continue;
      }
      this.positions[stream] = place.seq;
      if (!place.recovered) this.options.onRefetch?.(stream);
    }
    this.attempt = 0;
    this.change("ready");
    for (const clientId of this.unconfirmed.keys()) this.sendUnconfirmed(clientId);
  }

  private lost(code: number): void {
    this.ended();
    if (code === TOO_LARGE) this.dropLargest();
    if (code === NOT_AUTHENTICATED) {
      this.change("closed", code);
      return;
    }
    const growing = Math.min(LONGEST_PAUSE_MS, 500 * 2 ** this.attempt);
    const longest = code === TOO_MANY ? LONGEST_PAUSE_MS : growing;
    this.attempt = Math.min(this.attempt + 1, 6);
    this.change("waiting", code);
    this.reconnect = setTimeout(() => this.connect(), 100 + Math.random() * longest);
  }

  private ended(): void {
    clearInterval(this.heartbeat);
    this.socket = null;
    for (const { reject } of this.waiting.values()) reject(new ConnectionLost("the connection broke"));
    this.waiting.clear();
  }

  /** Gives up the message that was too large: the server does not say which of them it was. */
  private dropLargest(): void {
    const size = ([, { data }]: [unknown, Unconfirmed]) => JSON.stringify(data).length;
    const [largest] = [...this.unconfirmed].sort((one, other) => size(other) - size(one));
    if (largest === undefined) return;
    this.unconfirmed.delete(largest[0]);
    largest[1].reject(new Refused(TOO_LARGE, "The frame is too large."));
  }

  private change(state: State, code?: number): void {
    this.state = state;
    this.options.onState?.(state, code);
  }
}

function refused(error: { code: number; detail: unknown } | string): Refused {
  return typeof error === "string" ? new Refused(null, error) : new Refused(error.code, error.detail);
}

// Not `crypto.randomUUID`: browsers have it on secure pages only.
function randomId(): string {
  const bytes = crypto.getRandomValues(new Uint8Array(16));
  return Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join("");
}
