// A client of the chat socket: connect, heartbeat, resume, resend.
//
// One file without dependencies, for browsers and Node. The types of the events are those that
// were generated from the project's own contract:
//
//     const chat = new ChatClient<ClientEvent, ServerEvent>("wss://example.org/messaging/");
//     chat.on("message.dispatch", (message) => show(message.content));
//     chat.connect();
/** An event was refused: by the server or, where its frame is too large, by the client. */
export class Refused extends Error {
    /** As in the protocol; 1009 for a frame that is too large, null for an unknown event. */
    code;
    detail;
    constructor(code, detail) {
        super(`refused (${code ?? "unknown event"}): ${JSON.stringify(detail)}`);
        this.code = code;
        this.detail = detail;
    }
}
/** Each time this message was sent, the connection ended: whether it is stored is not known. */
export class GivenUp extends Error {
    /** Of the last close; undefined where the client ended a connection that had gone silent. */
    code;
    constructor(code) {
        super(`the connection ended each time this message was sent (${code})`);
        this.code = code;
    }
}
/** The connection broke before the answer came: whether the event happened is not known. */
export class ConnectionLost extends Error {
}
/** As many events wait for the server as `maxUnsent` allows. */
export class QueueFull extends Error {
}
const TOO_LARGE = 1009; // a frame that was too large would be so again
const NOT_AUTHENTICATED = 4001; // log in again: trying again is of no use
const TOO_MANY = 4029; // limits were ignored: wait longer before the next attempt
const RETRY_LATER = new Set([4029, 4503]); // the same may succeed after `retry_after`
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
export class ChatClient {
    /** How far this client has come in each stream. */
    positions = {};
    /** Of the history that the positions belong to. */
    epoch = null;
    /** Of the event that the listeners are called with: its stream, and where it stands there. */
    at = null;
    state = "closed";
    url;
    options;
    maxFrameBytes;
    maxUnsent;
    maxLosses;
    heartbeatMs;
    firstPauseMs;
    longestPauseMs;
    longestRetryAfterMs;
    listeners = new Map();
    waiting = new Map();
    unsent = new Map();
    left = new Set();
    watched = new Set(); // whose presence, on every connection
    active = null; // whether somebody sits here; null until that is said
    numbers = 0;
    /** The attempt to connect, or the connection, that is under way. */
    attempt = null;
    socket = null;
    heartbeat;
    reconnect;
    held; // until a limit is over
    failures = 0;
    silence = 0; // heartbeats that nothing has come after
    stalled = 0; // heartbeats without progress in connecting and resuming
    renew = false; // the next token has to be a new one
    renewed = false; // the last token was
    replays = false; // this connection replays what it missed
    afresh = false; // positions were dropped: everything has to be fetched
    /** A function for the URL is called at every attempt to connect, with the token. */
    constructor(url, options = {}) {
        this.url = url;
        this.options = options;
        this.maxFrameBytes = options.maxFrameBytes ?? 1024 * 1024;
        this.maxUnsent = options.maxUnsent ?? 1000;
        this.maxLosses = options.maxLosses ?? 3;
        this.heartbeatMs = options.heartbeatMs ?? 20_000;
        this.firstPauseMs = options.firstPauseMs ?? 500;
        this.longestPauseMs = options.longestPauseMs ?? 30_000;
        this.longestRetryAfterMs = options.longestRetryAfterMs ?? 300_000;
        if (options.state)
            this.restore(options.state);
    }
    /** Calls the listener with the data of every event of that name; returns how to stop that. */
    on(name, listener) {
        const listeners = this.listeners.get(name) ?? new Set();
        this.listeners.set(name, listeners.add(listener));
        return () => void listeners.delete(listener);
    }
    /** Connects, and stays connected. While it waits for the next attempt, it makes that now. */
    connect() {
        clearTimeout(this.reconnect);
        if (this.attempt === null)
            void this.open((this.attempt = {}));
    }
    /** Closes the connection for good; `connect` opens it again and resumes. */
    close() {
        clearTimeout(this.reconnect);
        const socket = this.socket;
        this.ended({});
        socket?.close(1000);
        if (this.state !== "closed")
            this.change("closed", 1000);
    }
    /**
     * Sends an event, and resolves when the server has done it: to the data of its answer.
     *
     * `answer` is the `eventType` of the private answer, for events that have one. Rejects with
     * `Refused`, `ConnectionLost` or `QueueFull`.
     */
    ask(name, data, answer) {
        return new Promise((resolve, reject) => {
            const requestId = `ask-${++this.numbers}`;
            const text = JSON.stringify({ event_type: name, data, request_id: requestId });
            if (this.isTooLarge(text))
                throw this.tooLarge();
            if (this.waiting.size >= this.maxUnsent)
                throw new QueueFull("too many questions wait");
            if (!this.write(text))
                throw new ConnectionLost("not connected");
            this.waiting.set(requestId, { answer, resolve, reject, beats: 0 });
        });
    }
    /**
     * Sends a message once, however often the connection breaks, and resolves to its `client_id`
     * when the server has stored it. Rejects with `Refused` (1009 for a frame larger than
     * `maxFrameBytes`), with `GivenUp` or with `QueueFull`.
     */
    async sendMessage(data) {
        const given = data;
        const clientId = given["client_id"] ?? randomId();
        for (const entry of this.unsent.values())
            if (entry.clientId === clientId)
                return entry.done;
        const entry = this.prepare({ ...given, client_id: clientId });
        if (this.isTooLarge(entry.text))
            throw this.tooLarge();
        if (this.unsent.size >= this.maxUnsent)
            throw new QueueFull("too many messages wait");
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
    watchPresence(data) {
        this.watched.add(data);
        if (this.state === "ready")
            void this.subscribe(data);
        return () => {
            if (!this.watched.delete(data) || this.state !== "ready")
                return;
            this.write(JSON.stringify({ event_type: "presence.unsubscribe", data }));
            // Whom others named too is watched on.
            for (const each of this.watched)
                void this.subscribe(each);
        };
    }
    /** Says whether somebody sits here: at once, and with every heartbeat from now on. */
    setActive(active) {
        if (this.active === active)
            return;
        this.active = active;
        if (this.state === "ready")
            this.write(this.beatFrame());
    }
    /**
     * Sends a frame as it is; tells whether there was a connection for it. Throws `Refused` where it
     * is too large.
     */
    post(text) {
        if (this.isTooLarge(text))
            throw this.tooLarge();
        return this.write(text);
    }
    /**
     * Returns what another client of the same user needs to go on. The places are those of the
     * events that the listeners were called with.
     */
    save() {
        const unsent = [...this.unsent.values()].map(({ text }) => JSON.parse(text).data);
        return { epoch: this.epoch, streams: { ...this.positions }, unsent };
    }
    // Connections
    async open(attempt) {
        this.silence = this.stalled = 0;
        this.heartbeat = setInterval(() => this.beat(), this.heartbeatMs);
        this.change("connecting");
        let socket;
        try {
            const token = this.options.token ? await this.options.token(this.renew) : null;
            if (this.attempt !== attempt)
                return;
            this.renew = false;
            if (this.options.token && token === null) {
                this.renewed = true; // there is no other one to ask for
                return this.lost({ code: NOT_AUTHENTICATED, loggedOut: true });
            }
            const url = await resolve(this.url, token);
            const protocols = await resolve(this.options.protocols, token);
            if (this.attempt !== attempt)
                return;
            const Socket = this.options.WebSocket ?? WebSocket;
            socket = protocols === undefined ? new Socket(url) : new Socket(url, protocols);
        }
        catch (error) {
            if (this.attempt !== attempt)
                return;
            this.options.onProblem?.(error);
            return this.lost({});
        }
        this.listen(socket, attempt);
    }
    listen(socket, attempt) {
        const current = () => this.attempt === attempt;
        let opened = false;
        this.socket = socket;
        if (this.isTooLarge(this.resumeFrame()))
            this.dropPositions();
        this.replays = Object.keys(this.positions).length > 0;
        socket.onopen = () => {
            if (!current())
                return;
            opened = true;
            this.stalled = 0;
            this.write(this.resumeFrame());
        };
        socket.onmessage = ({ data }) => {
            if (!current())
                return;
            this.silence = 0;
            this.options.onFrame?.("in", data);
            const frame = parse(data);
            if (frame !== null)
                this.take(frame);
        };
        // A close follows, and decides; Node tells of a handshake that fails by an error alone.
        socket.onerror = () => {
            if (current() && !opened)
                this.lost({ code: 1006 });
        };
        socket.onclose = (closed) => {
            if (!current())
                return;
            const code = STAND_FOR.get(closed.code) ?? closed.code;
            if (code === TOO_LARGE && this.state !== "ready")
                this.dropPositions();
            this.lost({
                code,
                loggedOut: code === NOT_AUTHENTICATED,
                suspicious: !NO_MESSAGES_FAULT.has(code),
            });
        };
    }
    /** Ends the connection at once: the other side may not be there to close it. */
    drop(end) {
        const socket = this.socket;
        this.lost(end);
        socket?.close();
    }
    lost(end) {
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
    ended(end) {
        clearInterval(this.heartbeat);
        clearTimeout(this.held);
        this.held = undefined;
        const resumed = this.state === "ready";
        if (this.socket !== null && !resumed && !this.replays) {
            this.positions = {}; // of some streams only: a replay would leave out others
        }
        this.socket = null;
        this.attempt = null;
        for (const { reject } of this.waiting.values())
            reject(new ConnectionLost("the connection broke"));
        this.waiting.clear();
        const flying = [...this.unsent.values()].filter((entry) => entry.flying);
        for (const entry of this.unsent.values()) {
            clearTimeout(entry.later);
            entry.later = undefined;
            entry.flying = false;
        }
        if (!end.suspicious)
            return;
        for (const entry of flying)
            entry.suspect = true;
        if (flying.length === 1)
            this.suspect(flying[0], end.code);
    }
    /** A connection ended while this message alone was under way. */
    suspect(entry, code) {
        entry.losses++;
        if (code === TOO_LARGE) {
            this.finish(entry, this.tooLarge());
        }
        else if (entry.losses >= this.maxLosses) {
            this.finish(entry, new GivenUp(code));
        }
        else {
            this.unsent.delete(entry.requestId); // those behind it go first: they need not wait for it
            this.unsent.set(entry.requestId, entry);
        }
    }
    // Heartbeats are counted, not timed: browsers slow down the timers of pages in the background.
    beat() {
        if (this.state !== "ready")
            this.stalled++;
        let overdue = this.stalled > 2;
        for (const entry of this.unsent.values())
            overdue = (++entry.beats > 2 && entry.flying) || overdue;
        for (const entry of this.waiting.values())
            overdue = ++entry.beats > 2 || overdue;
        if (overdue || this.silence > 1) {
            this.drop({ suspicious: true });
        }
        else if (this.write(this.beatFrame())) {
            this.silence++;
        }
    }
    beatFrame() {
        const data = this.active === null ? {} : { active: this.active };
        return JSON.stringify({ event_type: "session.heartbeat", data, request_id: BEAT });
    }
    async subscribe(data) {
        try {
            const client = this;
            const told = await client.ask("presence.subscribe", data, "presence.dispatch");
            this.emit({ eventType: "presence.dispatch", data: told });
        }
        catch (error) {
            if (!(error instanceof Refused))
                return; // the next connection asks again
            if (!RETRY_LATER.has(error.code))
                this.watched.delete(data);
            this.options.onRefused?.(error);
        }
    }
    write(text) {
        if (this.socket?.readyState !== OPEN)
            return false;
        this.options.onFrame?.("out", text);
        this.socket.send(text);
        return true;
    }
    change(state, code, pauseMs) {
        this.state = state;
        this.options.onState?.(state, code, pauseMs);
    }
    // Resuming
    resumeFrame() {
        const data = { streams: this.positions, ...(this.epoch === null ? {} : { epoch: this.epoch }) };
        return JSON.stringify({ event_type: "session.resume", data, request_id: RESUME });
    }
    /** Forgets where this client was: the server does not take it. */
    dropPositions() {
        this.afresh ||= Object.keys(this.positions).length > 0;
        this.positions = {};
        this.epoch = null;
        this.options.onChange?.();
    }
    resumed(data) {
        const positions = {};
        const refetch = [];
        const gone = [];
        for (const [stream, place] of Object.entries(data.streams)) {
            if ("gone" in place) {
                gone.push(stream);
                continue;
            }
            const { seq, recovered } = place;
            positions[stream] = recovered ? Math.max(seq, this.positions[stream] ?? 0) : seq;
            if (this.afresh || !recovered)
                refetch.push(stream);
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
            if (this.isTooLarge(entry.text))
                this.finish(entry, this.tooLarge());
        }
        this.options.onChange?.();
        for (const stream of gone)
            this.options.onGone?.(stream);
        for (const stream of refetch)
            this.options.onRefetch?.(stream);
        this.change("ready");
        if (this.active === false)
            this.write(this.beatFrame());
        for (const data of this.watched)
            void this.subscribe(data);
        this.pump();
    }
    notResumed(error) {
        if (error.code === NOT_AUTHENTICATED) {
            this.drop({ code: NOT_AUTHENTICATED, loggedOut: true });
        }
        else if (RETRY_LATER.has(error.code)) {
            this.drop({ atLeastMs: this.retryAfterMs(error) });
        }
        else {
            this.options.onRefused?.(error);
            this.dropPositions();
            this.drop({});
        }
    }
    // What arrives
    take(frame) {
        const requestId = frame.request_id;
        const error = frame.error === undefined ? null : refused(frame.error);
        const waiting = this.waiting.get(requestId ?? "");
        const entry = this.unsent.get(requestId ?? "");
        if (frame.eventType === "session.resumed") {
            this.resumed(frame.data);
        }
        else if (requestId === RESUME && error !== null) {
            this.notResumed(error);
        }
        else if (requestId === RESUME || requestId === BEAT) {
            return;
        }
        else if (waiting !== undefined) {
            this.waiting.delete(requestId);
            if (error !== null)
                waiting.reject(error);
            else
                waiting.resolve(waiting.answer === frame.eventType ? frame.data : undefined);
        }
        else if (entry !== undefined) {
            this.confirmed(entry, error);
        }
        else if (error !== null) {
            this.options.onRefused?.(error);
        }
        else if (frame.stream !== undefined && frame.seq !== undefined) {
            this.advance(frame, frame.stream, frame.seq);
        }
        else if (this.state === "ready" || !this.replays || frame.eventType === "chat.notifications") {
            this.emit(frame); // typing has no place in a stream
        }
        // Any other event before `session.resumed` comes again, in its place, in the replay.
    }
    advance(frame, stream, seq) {
        const last = this.positions[stream];
        if (last !== undefined && seq <= last)
            return;
        // Who resumes, or comes back into a room, does not hear what was before the joining.
        const mayJump = this.state !== "ready" || this.left.has(stream);
        if (!mayJump && last !== undefined && seq > last + 1)
            return this.drop({});
        this.left.delete(stream);
        this.stalled = 0;
        this.positions[stream] = seq;
        this.noteLeaving(frame);
        this.at = { stream, seq };
        this.emit(frame);
        this.at = null;
        this.options.onChange?.();
    }
    noteLeaving({ eventType, data }) {
        if (eventType === "roomdelete.dispatch") {
            delete this.positions[`room:${data.room_id}`];
        }
        else if (eventType === "roomexit.dispatch") {
            this.left.add(`room:${data.room.id}`);
            const [oldest] = this.left;
            if (this.left.size <= ROOMS_LEFT || oldest === undefined)
                return;
            this.left.delete(oldest);
            delete this.positions[oldest];
        }
    }
    emit({ eventType, data }) {
        for (const listener of this.listeners.get(eventType ?? "") ?? []) {
            try {
                listener(data);
            }
            catch (error) {
                // The others hear it all the same; the error is reported as any that nobody catches.
                setTimeout(() => {
                    throw error;
                });
            }
        }
    }
    // Messages
    prepare(data) {
        const requestId = `message-${++this.numbers}`;
        let settle;
        const done = new Promise((resolve, reject) => (settle = { resolve, reject }));
        const text = JSON.stringify({ event_type: "message.send", data, request_id: requestId });
        const clientId = String(data["client_id"]);
        const fresh = { flying: false, beats: 0, suspect: false, losses: 0, later: undefined };
        return { clientId, requestId, text, done, ...settle, ...fresh };
    }
    /**
     * Sends what waits: in order, several at once. A connection that ends does not say whose fault
     * it was: those that were under way go alone the next time.
     */
    pump() {
        if (this.state !== "ready" || this.held !== undefined)
            return;
        const flying = [...this.unsent.values()].filter((entry) => entry.flying);
        if (flying.some((entry) => entry.suspect))
            return;
        let room = WINDOW - flying.length;
        for (const entry of this.unsent.values()) {
            if (room <= 0)
                return;
            if (entry.flying || entry.later !== undefined)
                continue;
            if (entry.suspect && room < WINDOW)
                return;
            if (!this.write(entry.text))
                return;
            entry.flying = true;
            entry.beats = 0;
            if (entry.suspect)
                return;
            room--;
        }
    }
    confirmed(entry, error) {
        if (error?.code === NOT_AUTHENTICATED)
            return; // a close follows; it is sent after the login
        entry.flying = false;
        if (error === null) {
            this.finish(entry, null);
        }
        else if (error.code === TOO_MANY) {
            clearTimeout(this.held);
            this.held = setTimeout(() => {
                this.held = undefined;
                this.pump();
            }, this.retryAfterMs(error));
        }
        else if (RETRY_LATER.has(error.code)) {
            entry.later = setTimeout(() => {
                entry.later = undefined;
                this.pump();
            }, this.retryAfterMs(error));
        }
        else {
            this.finish(entry, error);
        }
        this.pump();
    }
    finish(entry, error) {
        this.unsent.delete(entry.requestId);
        this.options.onChange?.();
        if (error === null)
            entry.resolve(entry.clientId);
        else
            entry.reject(error);
    }
    retryAfterMs({ detail }) {
        const said = detail?.retry_after;
        const seconds = typeof said === "number" && said >= 0 ? said : 1;
        return Math.min(seconds * 1000, this.longestRetryAfterMs) * between(1, 1.2);
    }
    isTooLarge(text) {
        // A unit of UTF-16 is at most three bytes of UTF-8: most frames need not be measured.
        if (text.length * 3 <= this.maxFrameBytes)
            return false;
        return new TextEncoder().encode(text).length > this.maxFrameBytes;
    }
    tooLarge() {
        return new Refused(TOO_LARGE, `The frame is larger than ${this.maxFrameBytes} bytes.`);
    }
    /** Takes what can be read: it may have been cut off, or be of another version. */
    restore({ epoch, streams, unsent }) {
        this.epoch = typeof epoch === "string" ? epoch : null;
        for (const [stream, seq] of Object.entries(streams ?? {})) {
            if (Number.isSafeInteger(seq) && seq >= 0)
                this.positions[stream] = seq;
        }
        for (const data of Array.isArray(unsent) ? unsent : []) {
            if (typeof data?.["client_id"] !== "string")
                continue;
            const entry = this.prepare(data);
            this.unsent.set(entry.requestId, entry);
            entry.done.catch((error) => this.options.onRefused?.(error, data));
        }
    }
}
async function resolve(given, token) {
    return typeof given === "function" ? given(token) : given;
}
function parse(text) {
    try {
        const frame = JSON.parse(text);
        return typeof frame === "object" && frame !== null ? frame : null;
    }
    catch {
        return null; // no frame of the protocol
    }
}
function refused(error) {
    return typeof error === "string" ? new Refused(null, error) : new Refused(error.code, error.detail);
}
const between = (least, most) => least + Math.random() * (most - least);
// Not `crypto.randomUUID`: browsers have it on secure pages only.
function randomId() {
    const bytes = crypto.getRandomValues(new Uint8Array(16));
    return Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join("");
}
