// A reference client of the event protocol: connect, heartbeat, resume, resend.
//
// It holds three things between connections: how far it has come in each stream, which sends
// the server has not confirmed, and what to do with events. It needs nothing but a `WebSocket`,
// so it runs in browsers and in Node.

const NOT_AUTHENTICATED = 4001; // log in again: trying again is of no use
const TOO_MANY = 4029; // limits were ignored: wait longer before the next attempt
const RETRY_LATER = new Set([4029, 4503]); // the same event may succeed after `retry_after`
const HEARTBEAT_MS = 20_000;

export class ChatClient {
  // handlers: onEvent(name, data), and if wanted onRefetch(stream), onGone(stream), onLoggedOut()
  constructor(url, handlers) {
    this.url = url;
    this.handlers = handlers;
    this.positions = {};
    this.unconfirmed = new Map();
    this.resumed = false;
    this.stopped = false;
    this.attempt = 0;
    this.answers = new Map();
    this.number = 0;
  }

  connect() {
    const socket = new WebSocket(this.url);
    this.socket = socket;
    let heartbeat;
    socket.onopen = () => {
      this.post({ event_type: "session.resume", data: { streams: this.positions } });
      heartbeat = setInterval(
        () => this.post({ event_type: "session.heartbeat", data: {} }),
        HEARTBEAT_MS,
      );
    };
    socket.onmessage = (message) => this.take(JSON.parse(message.data));
    socket.onerror = () => {}; // a close follows, and decides
    socket.onclose = (event) => {
      clearInterval(heartbeat);
      this.resumed = false;
      for (const { reject } of this.answers.values()) reject(new Error("the connection broke"));
      this.answers.clear();
      if (this.stopped) return;
      if (event.code === NOT_AUTHENTICATED) {
        this.handlers.onLoggedOut?.();
        return;
      }
      const longest = event.code === TOO_MANY ? 30_000 : Math.min(30_000, 500 * 2 ** this.attempt);
      this.attempt = Math.min(this.attempt + 1, 6);
      setTimeout(() => this.connect(), 100 + Math.random() * longest);
    };
  }

  stop() {
    this.stopped = true;
    this.socket?.close();
  }

  // Sends a message once, however often the connection breaks; returns its client_id.
  sendMessage(roomId, content, extraFields = {}) {
    const clientId = crypto.randomUUID();
    this.unconfirmed.set(clientId, {
      room_id: roomId,
      content,
      client_id: clientId,
      extra_fields: extraFields,
    });
    if (this.resumed) this.sendUnconfirmed(clientId);
    return clientId;
  }

  // Sends an event; resolves to the data of its private answer, if it has one.
  ask(eventType, data = {}) {
    const requestId = `ask-${++this.number}`;
    return new Promise((resolve, reject) => {
      this.answers.set(requestId, { resolve, reject });
      this.post({ event_type: eventType, data, request_id: requestId });
    });
  }

  post(frame) {
    if (this.socket.readyState === WebSocket.OPEN) this.socket.send(JSON.stringify(frame));
  }

  sendUnconfirmed(clientId) {
    const data = this.unconfirmed.get(clientId);
    if (data) this.post({ event_type: "message.send", data, request_id: clientId });
  }

  take(frame) {
    const requestId = frame.request_id;
    if (this.answers.has(requestId)) {
      const { resolve, reject } = this.answers.get(requestId);
      this.answers.delete(requestId);
      if (frame.error) reject(Object.assign(new Error("refused"), frame.error));
      else resolve(frame.data);
    } else if (this.unconfirmed.has(requestId)) {
      this.confirm(requestId, frame.error);
    } else if (frame.eventType === "session.resumed") {
      this.start(frame.data.streams);
    } else if ("seq" in frame) {
      if (frame.seq > (this.positions[frame.stream] ?? 0)) {
        this.positions[frame.stream] = frame.seq;
        this.handlers.onEvent(frame.eventType, frame.data);
      }
    } else if (frame.eventType && (this.resumed || frame.eventType === "chat.notifications")) {
      this.handlers.onEvent(frame.eventType, frame.data); // typing has no place in a stream
    }
    // Any other event before `session.resumed` comes again, in its place, in the replay.
  }

  start(streams) {
    for (const [stream, place] of Object.entries(streams)) {
      if (place.gone) {
        delete this.positions[stream];
        this.handlers.onGone?.(stream);
        continue;
      }
      this.positions[stream] = place.seq;
      if (!place.recovered) this.handlers.onRefetch?.(stream);
    }
    this.resumed = true;
    this.attempt = 0;
    this.handlers.onReady?.();
    for (const clientId of this.unconfirmed.keys()) this.sendUnconfirmed(clientId);
  }

  confirm(clientId, error) {
    if (error && RETRY_LATER.has(error.code)) {
      setTimeout(() => this.sendUnconfirmed(clientId), error.detail.retry_after * 1000);
      return;
    }
    this.unconfirmed.delete(clientId);
    if (error) this.handlers.onEvent("error", error);
  }
}
