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

/** A value, or a function of the token that returns one, now or later. */
export type Given<T> = T | ((token: string | null) => T | Promise<T>);

/** What another client of the same user needs to go on, as plain JSON. */
export interface SavedState {
  epoch: string | null;
  streams: Record<string, number>;
  unsent: Record<string, unknown>[];
}

export interface Options {
  /**
   * Returns a fresh token, or null where the user has to log in. It is called at every attempt to
   * connect, with `true` where the server has refused the last one: return a new one then. Where
   * it throws, the client tries again after its pause.
   */
  token?: (renew: boolean) => string | null | Promise<string | null>;
  /** The subprotocols to offer; a function is called at every attempt, with the token. */
  protocols?: Given<string | string[]>;
  /** What `save` returned, on another page perhaps, for the same user. */
  state?: SavedState | null;
  /** The server's `MAX_FRAME_BYTES`: larger frames are not sent. */
  maxFrameBytes?: number;
  /** How many messages, and how many questions, may wait for the server. */
  maxUnsent?: number;
  /** After so many connections that ended while a message was under way alone, it is given up. */
  maxLosses?: number;
  /** Between heartbeats, 15 to 30 s. A connection that answers nothing for two is closed. */
  heartbeatMs?: number;
  /** The pause doubles from one failed attempt to the next, up to the longest. */
  firstPauseMs?: number;
  /** Also the pause after a close with 4029. */
  longestPauseMs?: number;
  /** At most so much of a `retry_after` is waited. */
  longestRetryAfterMs?: number;
  /** For Node before 22: the class of the `ws` package. */
  WebSocket?: typeof WebSocket;
  /**
   * The state of the connection changed. The code is that of the close which led to it, and none
   * where there was no connection to close; the pause is that before the next attempt.
   */
  onState?: (state: State, code?: number, pauseMs?: number) => void;
  /**
   * The log no longer reaches back, or the server's history is another: fetch the room (or, for
   * `user:…`, the rooms) afresh.
   */
  onRefetch?: (stream: string) => void;
  /** The user no longer has this stream: forget the room. */
  onGone?: (stream: string) => void;
  /** An error that nobody waits for, and the message's data where it is that of a message. */
  onRefused?: (error: Refused | GivenUp, message?: Record<string, unknown>) => void;
  /** What a function of the page threw: for the URL, the subprotocols or the token. */
  onProblem?: (error: unknown) => void;
  /** What `save` returns has changed. */
  onChange?: () => void;
  /** Every frame as it passes, for logs. */
  onFrame?: (direction: "in" | "out", text: string) => void;
}

/** An event was refused: by the server or, where its frame is too large, by the client. */
export class Refused extends Error {
  /** As in the protocol; 1009 for a frame that is too large, null for an unknown event. */
  readonly code: number | null;
  readonly detail: unknown;

  constructor(code: number | null, detail: unknown) {
    super(`refused (${code ?? "unknown event"}): ${JSON.stringify(detail)}`);
    this.code = code;
    this.detail = detail;
  }
}

/** Each time this message was sent, the connection ended: whether it is stored is not known. */
export class GivenUp extends Error {
  /** Of the last close; undefined where the client ended a connection that had gone silent. */
  readonly code: number | undefined;

  constructor(code: number | undefined) {
    super(`the connection ended each time this message was sent (${code})`);
    this.code = code;
  }
}

/** The connection broke before the answer came: whether the event happened is not known. */
export class ConnectionLost extends Error {}

/** As many events wait for the server as `maxUnsent` allows. */
export class QueueFull extends Error {}

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
  readonly answer: string | undefined;
  readonly resolve: (data: any) => void;
  readonly reject: (error: Error) => void;
  beats: number;
}

/** A message that the server has not confirmed. */
interface Unsent {
  readonly clientId: string;
  readonly requestId: string;
  readonly text: string;
  readonly done: Promise<string>;
  readonly resolve: (clientId: string) => void;
  readonly reject: (error: Refused | GivenUp) => void;
  /** Sent on this connection, not answered. */
  flying: boolean;
  /** Heartbeats since it was sent. */
  beats: number;
  /** A connection ended while it was under way: it is sent alone. */
  suspect: boolean;
  /** Connections that ended while it was under way alone. */
  losses: number;
  /** Until its `retry_after` has passed. */
  later: ReturnType<typeof setTimeout> | undefined;
}

/** Why a connection ended. */
interface End {
  code?: number | undefined;
  /** That the server asked to wait. */
  atLeastMs?: number;
  loggedOut?: boolean;
  /** Whether a message that was under way may have been the reason. */
  suspicious?: boolean;
}

type Place = { seq: number; recovered: boolean } | { gone: true };

const TOO_LARGE = 1009; // a frame that was too large would be so again
const NOT_AUTHENTICATED = 4001; // log in again: trying again is of no use
const TOO_MANY = 4029; // limits were ignored: wait longer before the next attempt
const RETRY_LATER = new Set<number | null>([4029, 4503]); // the same may succeed after `retry_after`
// Closes with a reason of their own: no message that was under way is suspected.
const NO_MESSAGES_FAULT = new Set([1001, 1012, 1013, NOT_AUTHENTICATED, 4008, TOO_MANY]);
// Codes of servers that cannot send those that they stand for.
const STAND_FOR = new Map([[4009, TOO_LARGE], [4011, 1011], [4012, 1012]]);
const WINDOW = 16; // messages that may be under way at once
const ROOMS_LEFT = 100; // rooms that the user has left, remembered until the next connection
const RESUME = "resume";
const BEAT = "beat";
const OPEN = 1;

/**
 * Keeps one connection until it is closed, or the server no longer knows the user.
 *
 * Every stored event reaches the listeners once and in order, and every message is sent once,
 * however often the connection breaks.
 */
export class ChatClient<Out extends Sent = Sent, In extends Received = Received> {
  /** How far this client has come in each stream. */
  positions: Record<string, number> = {};
  /** Of the history that the positions belong to. */
  epoch: string | null = null;
  /** Of the event that the listeners are called with: its stream, and where it stands there. */
  at: { stream: string; seq: number } | null = null;
  state: State = "closed";

  private readonly url: Given<string>;
  private readonly options: Options;
  private readonly maxFrameBytes: number;
  private readonly maxUnsent: number;
  private readonly maxLosses: number;
  private readonly heartbeatMs: number;
  private readonly firstPauseMs: number;
  private readonly longestPauseMs: number;
  private readonly longestRetryAfterMs: number;
  private readonly listeners = new Map<string, Set<(data: any) => void>>();
  private readonly waiting = new Map<string | number, Waiting>();
  private readonly unsent = new Map<string | number, Unsent>();
  private readonly left = new Set<string>();
  private readonly watched = new Set<unknown>(); // whose presence, on every connection
  private active: boolean | null = null; // whether somebody sits here; null until that is said
  private numbers = 0;
  /** The attempt to connect, or the connection, that is under way. */
  private attempt: object | null = null;
  private socket: WebSocket | null = null;
  private heartbeat: ReturnType<typeof setInterval> | undefined;
  private reconnect: ReturnType<typeof setTimeout> | undefined;
  private held: ReturnType<typeof setTimeout> | undefined; // until a limit is over
  private failures = 0;
  private silence = 0; // heartbeats that nothing has come after
  private stalled = 0; // heartbeats without progress in connecting and resuming
  private renew = false; // the next token has to be a new one
  private renewed = false; // the last token was
  private replays = false; // this connection replays what it missed
  private afresh = false; // positions were dropped: everything has to be fetched

  /** A function for the URL is called at every attempt to connect, with the token. */
  constructor(url: Given<string>, options: Options = {}) {
    this.url = url;
    this.options = options;
    this.maxFrameBytes = options.maxFrameBytes ?? 1024 * 1024;
    this.maxUnsent = options.maxUnsent ?? 1000;
    this.maxLosses = options.maxLosses ?? 3;
    this.heartbeatMs = options.heartbeatMs ?? 20_000;
    this.firstPauseMs = options.firstPauseMs ?? 500;
    this.longestPauseMs = options.longestPauseMs ?? 30_000;
    this.longestRetryAfterMs = options.longestRetryAfterMs ?? 300_000;
    if (options.state) this.restore(options.state);
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

  /** Connects, and stays connected. While it waits for the next attempt, it makes that now. */
  connect(): void {
    clearTimeout(this.reconnect);
    if (this.attempt === null) void this.open((this.attempt = {}));
  }

  /** Closes the connection for good; `connect` opens it again and resumes. */
  close(): void {
    clearTimeout(this.reconnect);
    const socket = this.socket;
    this.ended({});
    socket?.close(1000);
    if (this.state !== "closed") this.change("closed", 1000);
  }

  /**
   * Sends an event, and resolves when the server has done it: to the data of its answer.
   *
   * `answer` is the `eventType` of the private answer, for events that have one. Rejects with
   * `Refused`, `ConnectionLost` or `QueueFull`.
   */
  ask<Name extends Out["event_type"], Answer extends In["eventType"] = never>(
    name: Name,
    data: SentData<Out, Name>,
    answer?: Answer,
  ): Promise<[Answer] extends [never] ? void : ReceivedData<In, Answer>> {
    return new Promise((resolve, reject) => {
      const requestId = `ask-${++this.numbers}`;
      const text = JSON.stringify({ event_type: name, data, request_id: requestId });
      if (this.isTooLarge(text)) throw this.tooLarge();
      if (this.waiting.size >= this.maxUnsent) throw new QueueFull("too many questions wait");
      if (!this.write(text)) throw new ConnectionLost("not connected");
      this.waiting.set(requestId, { answer, resolve, reject, beats: 0 });
    });
  }

  /**
   * Sends a message once, however often the connection breaks, and resolves to its `client_id`
   * when the server has stored it. Rejects with `Refused` (1009 for a frame larger than
   * `maxFrameBytes`), with `GivenUp` or with `QueueFull`.
   */
  async sendMessage(data: SentData<Out, "message.send">): Promise<string> {
    const given = data as Record<string, unknown>;
    const clientId = (given["client_id"] as string | null | undefined) ?? randomId();
    for (const entry of this.unsent.values()) if (entry.clientId === clientId) return entry.done;
    const entry = this.prepare({ ...given, client_id: clientId });
    if (this.isTooLarge(entry.text)) throw this.tooLarge();
    if (this.unsent.size >= this.maxUnsent) throw new QueueFull("too many messages wait");
    this.unsent.set(entry.requestId, entry);
    this.options.onChange?.();
    this.pump();
    return entry.done;
  }

  /**
   * Watches the presence of users or rooms, on this connection and on every later one; returns how
   * to stop that. The listeners of `presence.dispatch` are told of all at first (`snapshot`), then
   * of whoever changes. What the server refuses goes to `onRefused`, and is watched no more.
   */
  watchPresence(data: SentData<Out, "presence.subscribe">): () => void {
    this.watched.add(data);
    if (this.state === "ready") void this.subscribe(data);
    return () => {
      if (!this.watched.delete(data) || this.state !== "ready") return;
      this.write(JSON.stringify({ event_type: "presence.unsubscribe", data }));
      // Whom others named too is watched on.
      for (const each of this.watched) void this.subscribe(each);
    };
  }

  /** Says whether somebody sits here: at once, and with every heartbeat from now on. */
  setActive(active: boolean): void {
    if (this.active === active) return;
    this.active = active;
    if (this.state === "ready") this.write(this.beatFrame());
  }

  /**
   * Sends a frame as it is; tells whether there was a connection for it. Throws `Refused` where it
   * is too large.
   */
  post(text: string): boolean {
    if (this.isTooLarge(text)) throw this.tooLarge();
    return this.write(text);
  }

  /**
   * Returns what another client of the same user needs to go on. The places are those of the
   * events that the listeners were called with.
   */
  save(): SavedState {
    const unsent = [...this.unsent.values()].map(({ text }) => JSON.parse(text).data);
    return { epoch: this.epoch, streams: { ...this.positions }, unsent };
  }

  // Connections

  private async open(attempt: object): Promise<void> {
    this.silence = this.stalled = 0;
    this.heartbeat = setInterval(() => this.beat(), this.heartbeatMs);
    this.change("connecting");
    let socket: WebSocket;
    try {
      const token = this.options.token ? await this.options.token(this.renew) : null;
      if (this.attempt !== attempt) return;
      this.renew = false;
      if (this.options.token && token === null) {
        this.renewed = true; // there is no other one to ask for
        return this.lost({ code: NOT_AUTHENTICATED, loggedOut: true });
      }
      const url = await resolve(this.url, token);
      const protocols = await resolve(this.options.protocols, token);
      if (this.attempt !== attempt) return;
      const Socket = this.options.WebSocket ?? WebSocket;
      socket = protocols === undefined ? new Socket(url) : new Socket(url, protocols);
    } catch (error) {
      if (this.attempt !== attempt) return;
      this.options.onProblem?.(error);
      return this.lost({});
    }
    this.listen(socket, attempt);
  }

  private listen(socket: WebSocket, attempt: object): void {
    const current = () => this.attempt === attempt;
    let opened = false;
    this.socket = socket;
    if (this.isTooLarge(this.resumeFrame())) this.dropPositions();
    this.replays = Object.keys(this.positions).length > 0;
    socket.onopen = () => {
      if (!current()) return;
      opened = true;
      this.stalled = 0;
      this.write(this.resumeFrame());
    };
    socket.onmessage = ({ data }) => {
      if (!current()) return;
      this.silence = 0;
      this.options.onFrame?.("in", data);
      const frame = parse(data);
      if (frame !== null) this.take(frame);
    };
    // A close follows, and decides; Node tells of a handshake that fails by an error alone.
    socket.onerror = () => {
      if (current() && !opened) this.lost({ code: 1006 });
    };
    socket.onclose = (closed) => {
      if (!current()) return;
      const code = STAND_FOR.get(closed.code) ?? closed.code;
      if (code === TOO_LARGE && this.state !== "ready") this.dropPositions();
      this.lost({
        code,
        loggedOut: code === NOT_AUTHENTICATED,
        suspicious: !NO_MESSAGES_FAULT.has(code),
      });
    };
  }

  /** Ends the connection at once: the other side may not be there to close it. */
  private drop(end: End): void {
    const socket = this.socket;
    this.lost(end);
    socket?.close();
  }

  private lost(end: End): void {
    this.ended(end);
    if (end.loggedOut) {
      if (!this.options.token || this.renewed) {
        this.renewed = false;
        this.change("closed", NOT_AUTHENTICATED);
        return;
      }
      this.renew = this.renewed = true;
    }
    const growing = Math.min(this.longestPauseMs, this.firstPauseMs * 2 ** Math.min(this.failures, 30));
    const longest = end.code === TOO_MANY ? this.longestPauseMs : growing;
    this.failures++;
    // By chance, so that the clients of a server that comes back do not come at once.
    const pause = Math.max(longest * between(0.5, 1), (end.atLeastMs ?? 0) * between(1, 1.2));
    this.reconnect = setTimeout(() => this.connect(), pause);
    this.change("waiting", end.code, pause);
  }

  /** Settles what was under way on the connection that ended. */
  private ended(end: End): void {
    clearInterval(this.heartbeat);
    clearTimeout(this.held);
    this.held = undefined;
    const resumed = this.state === "ready";
    if (this.socket !== null && !resumed && !this.replays) {
      this.positions = {}; // of some streams only: a replay would leave out others
    }
    this.socket = null;
    this.attempt = null;
    for (const { reject } of this.waiting.values()) reject(new ConnectionLost("the connection broke"));
    this.waiting.clear();
    const flying = [...this.unsent.values()].filter((entry) => entry.flying);
    for (const entry of this.unsent.values()) {
      clearTimeout(entry.later);
      entry.later = undefined;
      entry.flying = false;
    }
    if (!end.suspicious) return;
    for (const entry of flying) entry.suspect = true;
    if (flying.length === 1) this.suspect(flying[0]!, end.code);
  }

  /** A connection ended while this message alone was under way. */
  private suspect(entry: Unsent, code: number | undefined): void {
    entry.losses++;
    if (code === TOO_LARGE) {
      this.finish(entry, this.tooLarge());
    } else if (entry.losses >= this.maxLosses) {
      this.finish(entry, new GivenUp(code));
    } else {
      this.unsent.delete(entry.requestId); // those behind it go first: they need not wait for it
      this.unsent.set(entry.requestId, entry);
    }
  }

  // Heartbeats are counted, not timed: browsers slow down the timers of pages in the background.
  private beat(): void {
    if (this.state !== "ready") this.stalled++;
    let overdue = this.stalled > 2;
    for (const entry of this.unsent.values()) overdue = (++entry.beats > 2 && entry.flying) || overdue;
    for (const entry of this.waiting.values()) overdue = ++entry.beats > 2 || overdue;
    if (overdue || this.silence > 1) {
      this.drop({ suspicious: true });
    } else if (this.write(this.beatFrame())) {
      this.silence++;
    }
  }

  private beatFrame(): string {
    const data = this.active === null ? {} : { active: this.active };
    return JSON.stringify({ event_type: "session.heartbeat", data, request_id: BEAT });
  }

  private async subscribe(data: unknown): Promise<void> {
    try {
      const client = this as ChatClient<any, any>;
      const told = await client.ask("presence.subscribe", data, "presence.dispatch");
      this.emit({ eventType: "presence.dispatch", data: told });
    } catch (error) {
      if (!(error instanceof Refused)) return; // the next connection asks again
      if (!RETRY_LATER.has(error.code)) this.watched.delete(data);
      this.options.onRefused?.(error);
    }
  }

  private write(text: string): boolean {
    if (this.socket?.readyState !== OPEN) return false;
    this.options.onFrame?.("out", text);
    this.socket.send(text);
    return true;
  }

  private change(state: State, code?: number, pauseMs?: number): void {
    this.state = state;
    this.options.onState?.(state, code, pauseMs);
  }

  // Resuming

  private resumeFrame(): string {
    const data = { streams: this.positions, ...(this.epoch === null ? {} : { epoch: this.epoch }) };
    return JSON.stringify({ event_type: "session.resume", data, request_id: RESUME });
  }

  /** Forgets where this client was: the server does not take it. */
  private dropPositions(): void {
    this.afresh ||= Object.keys(this.positions).length > 0;
    this.positions = {};
    this.epoch = null;
    this.options.onChange?.();
  }

  private resumed(data: { streams: Record<string, Place>; epoch?: string }): void {
    const positions: Record<string, number> = {};
    const refetch: string[] = [];
    const gone: string[] = [];
    for (const [stream, place] of Object.entries(data.streams)) {
      if ("gone" in place) {
        gone.push(stream);
        continue;
      }
      const { seq, recovered } = place;
      positions[stream] = recovered ? Math.max(seq, this.positions[stream] ?? 0) : seq;
      if (this.afresh || !recovered) refetch.push(stream);
    }
    this.positions = positions;
    this.epoch = data.epoch ?? this.epoch;
    this.afresh = false;
    this.left.clear();
    // A good connection: whatever was before is over.
    this.failures = 0;
    this.renewed = false;
    for (const entry of this.unsent.values()) {
      // One of another page, with another limit.
      if (this.isTooLarge(entry.text)) this.finish(entry, this.tooLarge());
    }
    this.options.onChange?.();
    for (const stream of gone) this.options.onGone?.(stream);
    for (const stream of refetch) this.options.onRefetch?.(stream);
    this.change("ready");
    if (this.active === false) this.write(this.beatFrame());
    for (const data of this.watched) void this.subscribe(data);
    this.pump();
  }

  private notResumed(error: Refused): void {
    if (error.code === NOT_AUTHENTICATED) {
      this.drop({ code: NOT_AUTHENTICATED, loggedOut: true });
    } else if (RETRY_LATER.has(error.code)) {
      this.drop({ atLeastMs: this.retryAfterMs(error) });
    } else {
      this.options.onRefused?.(error);
      this.dropPositions();
      this.drop({});
    }
  }

  // What arrives

  private take(frame: Frame): void {
    const requestId = frame.request_id;
    const error = frame.error === undefined ? null : refused(frame.error);
    const waiting = this.waiting.get(requestId ?? "");
    const entry = this.unsent.get(requestId ?? "");
    if (frame.eventType === "session.resumed") {
      this.resumed(frame.data);
    } else if (requestId === RESUME && error !== null) {
      this.notResumed(error);
    } else if (requestId === RESUME || requestId === BEAT) {
      return;
    } else if (waiting !== undefined) {
      this.waiting.delete(requestId!);
      if (error !== null) waiting.reject(error);
      else waiting.resolve(waiting.answer === frame.eventType ? frame.data : undefined);
    } else if (entry !== undefined) {
      this.confirmed(entry, error);
    } else if (error !== null) {
      this.options.onRefused?.(error);
    } else if (frame.stream !== undefined && frame.seq !== undefined) {
      this.advance(frame, frame.stream, frame.seq);
    } else if (this.state === "ready" || !this.replays || frame.eventType === "chat.notifications") {
      this.emit(frame); // typing has no place in a stream
    }
    // Any other event before `session.resumed` comes again, in its place, in the replay.
  }

  private advance(frame: Frame, stream: string, seq: number): void {
    const last = this.positions[stream];
    if (last !== undefined && seq <= last) return;
    // Who resumes, or comes back into a room, does not hear what was before the joining.
    const mayJump = this.state !== "ready" || this.left.has(stream);
    if (!mayJump && last !== undefined && seq > last + 1) return this.drop({});
    this.left.delete(stream);
    this.stalled = 0;
    this.positions[stream] = seq;
    this.noteLeaving(frame);
    this.at = { stream, seq };
    this.emit(frame);
    this.at = null;
    this.options.onChange?.();
  }

  private noteLeaving({ eventType, data }: Frame): void {
    if (eventType === "roomdelete.dispatch") {
      delete this.positions[`room:${data.room_id}`];
    } else if (eventType === "roomexit.dispatch") {
      this.left.add(`room:${data.room.id}`);
      const [oldest] = this.left;
      if (this.left.size <= ROOMS_LEFT || oldest === undefined) return;
      this.left.delete(oldest);
      delete this.positions[oldest];
    }
  }

  private emit({ eventType, data }: Frame): void {
    for (const listener of this.listeners.get(eventType ?? "") ?? []) {
      try {
        listener(data);
      } catch (error) {
        // The others hear it all the same; the error is reported as any that nobody catches.
        setTimeout(() => {
          throw error;
        });
      }
    }
  }

  // Messages

  private prepare(data: Record<string, unknown>): Unsent {
    const requestId = `message-${++this.numbers}`;
    let settle!: Pick<Unsent, "resolve" | "reject">;
    const done = new Promise<string>((resolve, reject) => (settle = { resolve, reject }));
    const text = JSON.stringify({ event_type: "message.send", data, request_id: requestId });
    const clientId = String(data["client_id"]);
    const fresh = { flying: false, beats: 0, suspect: false, losses: 0, later: undefined };
    return { clientId, requestId, text, done, ...settle, ...fresh };
  }

  /**
   * Sends what waits: in order, several at once. A connection that ends does not say whose fault
   * it was: those that were under way go alone the next time.
   */
  private pump(): void {
    if (this.state !== "ready" || this.held !== undefined) return;
    const flying = [...this.unsent.values()].filter((entry) => entry.flying);
    if (flying.some((entry) => entry.suspect)) return;
    let room = WINDOW - flying.length;
    for (const entry of this.unsent.values()) {
      if (room <= 0) return;
      if (entry.flying || entry.later !== undefined) continue;
      if (entry.suspect && room < WINDOW) return;
      if (!this.write(entry.text)) return;
      entry.flying = true;
      entry.beats = 0;
      if (entry.suspect) return;
      room--;
    }
  }

  private confirmed(entry: Unsent, error: Refused | null): void {
    if (error?.code === NOT_AUTHENTICATED) return; // a close follows; it is sent after the login
    entry.flying = false;
    if (error === null) {
      this.finish(entry, null);
    } else if (error.code === TOO_MANY) {
      clearTimeout(this.held);
      this.held = setTimeout(() => {
        this.held = undefined;
        this.pump();
      }, this.retryAfterMs(error));
    } else if (RETRY_LATER.has(error.code)) {
      entry.later = setTimeout(() => {
        entry.later = undefined;
        this.pump();
      }, this.retryAfterMs(error));
    } else {
      this.finish(entry, error);
    }
    this.pump();
  }

  private finish(entry: Unsent, error: Refused | GivenUp | null): void {
    this.unsent.delete(entry.requestId);
    this.options.onChange?.();
    if (error === null) entry.resolve(entry.clientId);
    else entry.reject(error);
  }

  private retryAfterMs({ detail }: Refused): number {
    const said = (detail as { retry_after?: unknown } | null)?.retry_after;
    const seconds = typeof said === "number" && said >= 0 ? said : 1;
    return Math.min(seconds * 1000, this.longestRetryAfterMs) * between(1, 1.2);
  }

  private isTooLarge(text: string): boolean {
    // A unit of UTF-16 is at most three bytes of UTF-8: most frames need not be measured.
    if (text.length * 3 <= this.maxFrameBytes) return false;
    return new TextEncoder().encode(text).length > this.maxFrameBytes;
  }

  private tooLarge(): Refused {
    return new Refused(TOO_LARGE, `The frame is larger than ${this.maxFrameBytes} bytes.`);
  }

  /** Takes what can be read: it may have been cut off, or be of another version. */
  private restore({ epoch, streams, unsent }: Partial<SavedState>): void {
    this.epoch = typeof epoch === "string" ? epoch : null;
    for (const [stream, seq] of Object.entries(streams ?? {})) {
      if (Number.isSafeInteger(seq) && seq >= 0) this.positions[stream] = seq;
    }
    for (const data of Array.isArray(unsent) ? unsent : []) {
      if (typeof data?.["client_id"] !== "string") continue;
      const entry = this.prepare(data);
      this.unsent.set(entry.requestId, entry);
      entry.done.catch((error) => this.options.onRefused?.(error, data));
    }
  }
}

async function resolve<T>(given: Given<T>, token: string | null): Promise<T> {
  return typeof given === "function" ? (given as (token: string | null) => T | Promise<T>)(token) : given;
}

function parse(text: unknown): Frame | null {
  try {
    const frame: unknown = JSON.parse(text as string);
    return typeof frame === "object" && frame !== null ? frame : null;
  } catch {
    return null; // no frame of the protocol
  }
}

function refused(error: { code: number; detail: unknown } | string): Refused {
  return typeof error === "string" ? new Refused(null, error) : new Refused(error.code, error.detail);
}

const between = (least: number, most: number): number => least + Math.random() * (most - least);

// Not `crypto.randomUUID`: browsers have it on secure pages only.
function randomId(): string {
  const bytes = crypto.getRandomValues(new Uint8Array(16));
  return Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join("");
}
