// The demo page: one socket, the rooms, the selected room's messages, and every frame as it passes.
// Everything that comes from the server reaches the page as text, never as markup.

// The client of docs/clients: it connects, resumes and sends again.
import { ChatClient, ConnectionLost } from "../clients/chat_client.js";

const PAGE_SIZE = 30;
const FRAMES_KEPT = 300;
const CLOSE_REASONS = {
  1001: "the server is going away",
  1006: "the connection was lost or refused",
  1012: "the server restarts",
  4001: "not logged in (any more)",
  4008: "this page was too slow",
  4029: "too many events or too many open pages",
};

const byId = (id) => document.getElementById(id);
const { user: me, socketPath } = JSON.parse(byId("page-data").textContent);

let rooms = [];
let roomId = null;
let messages = []; // of the selected room, oldest first
let olderLoading = false;
let shownSample = "";
const readSent = new Set(); // ids of messages whose receipt may still be on its way

// --- small helpers -------------------------------------------------------------------------

function node(tag, { className = "", text = "" } = {}, ...children) {
  const element = document.createElement(tag);
  element.className = className;
  element.textContent = text;
  element.append(...children);
  return element;
}

// Message content is cleaned HTML. A parsed document runs no scripts and loads nothing, so this
// gives the plain text of it ("&amp;" becomes "&").
function plainText(html) {
  return new DOMParser().parseFromString(html, "text/html").body.textContent;
}

// The way back, for what was typed into a field for plain text.
function asHtml(text) {
  return text.replaceAll("&", "&amp;").replaceAll("<", "&lt;").replaceAll(">", "&gt;");
}

const clock = (iso) => new Date(iso).toLocaleTimeString([], { hour: "2-digit", minute: "2-digit" });
const isMine = (message) => message.sender?.id === me.id;
const readers = (message) => message.read_receipts.map((receipt) => receipt.reader.username);
const unreadByMe = (message) => !isMine(message) && !readers(message).includes(me.username);

function notice(text) {
  byId("notice").textContent = text;
  byId("notice").hidden = !text;
}

// --- the socket ----------------------------------------------------------------------------

const scheme = location.protocol === "https:" ? "wss:" : "ws:";
const chat = new ChatClient(`${scheme}//${location.host}${socketPath}`, {
  onState: showState,
  onFrame: (direction, text) => logFrame(direction, text),
  onRefused: showRefused,
  // What was missed is too old to be replayed.
  onRefetch: (stream) => stream === `room:${roomId}` && select(roomId),
  onGone: () => refreshRooms(),
});

const isOpen = () => chat.state === "ready";

const STATES = {
  connecting: "connecting …",
  ready: "connected",
  waiting: "not connected, trying again …",
  closed: "not connected",
};

function showState(state, code) {
  byId("status").dataset.state = state === "ready" ? "open" : state;
  byId("status").textContent = STATES[state];
  byId("connect").textContent = state === "closed" ? "Connect" : "Disconnect";
  byId("raw-form").querySelector("button").disabled = !isOpen();
  enableComposer();
  if (state === "ready") {
    notice("");
    readSent.clear();
    refreshRooms();
  } else if (code !== undefined && code !== 1000) {
    const why = CLOSE_REASONS[code];
    notice(`The socket was closed with ${code}${why ? `: ${why}` : ""}.`);
  }
}

function showRefused(error) {
  if (error instanceof ConnectionLost) return; // The status says so.
  const { code, detail = error.message } = error;
  const shown = typeof detail === "string" ? detail : JSON.stringify(detail);
  notice(code ? `Error ${code}: ${shown}` : `Error: ${shown}`);
}

function enableComposer() {
  byId("content").disabled = !(isOpen() && roomId);
  byId("composer").querySelector("button").disabled = !(isOpen() && roomId);
}

// Sends an event; its private answer, if it has one, goes where dispatches go.
function send(eventType, data, answer) {
  const shown = (found) => answer && HANDLERS[answer](found);
  chat.ask(eventType, data, answer).then(shown, showRefused);
}

const refreshRooms = () => send("room.list", {}, "roomlist.dispatch");

const HANDLERS = {
  "roomlist.dispatch": (list) => {
    rooms = list;
    if (!rooms.some((room) => room.id === roomId)) select(rooms[0]?.id ?? null);
    showRooms();
  },
  "roominfo.dispatch": (room) => room.id === roomId && showRoom(room),
  "roommessages.dispatch": showHistory,
  "message.dispatch": (message) => {
    if (!isMine(message)) send("message.acknowledged", { message_id: message.id });
    upsert(message);
    showLatest(message);
    readWhatIsSeen();
  },
  "messagemodification.dispatch": ({ action, message, message_ids: ids }) => {
    if (action === "delete") {
      messages = messages.filter(({ id }) => !ids.includes(id));
      showMessages();
    } else {
      upsert(message, { known: true });
    }
    refreshRooms();
  },
  "reaction.dispatch": ({ message }) => upsert(message, { known: true }),
  "readreceipt.dispatch": upsertKnown,
  "messagedelivered.dispatch": upsertKnown,
  "chat.notifications": (byRoom) => {
    const waiting = Object.values(byRoom).flat().map(({ message }) => message);
    const ids = waiting.filter((message) => !isMine(message)).map(({ id }) => id);
    if (ids.length) send("message.acknowledged", { message_id: [...new Set(ids)] });
  },
  "roomcreate.dispatch": refreshRooms,
  "roomaddmembers.dispatch": refreshRoomAndList,
  "roomremovemembers.dispatch": refreshRoomAndList,
  "roomupdate.dispatch": refreshRoomAndList,
  "roomexit.dispatch": refreshRooms,
  "roomdelete.dispatch": refreshRooms,
};

function refreshRoomAndList(data) {
  refreshRooms();
  if ((data.room ?? data).id === roomId) send("room.info", { room_id: roomId }, "roominfo.dispatch");
}

// --- rooms ---------------------------------------------------------------------------------

const roomName = (room) => room.name ?? room.peer?.username ?? "Room";

function showRooms() {
  byId("rooms").replaceChildren(...rooms.map((room) => {
    const button = node("button", {}, node("strong", { text: roomName(room) }));
    if (room.unread_count) {
      button.append(node("span", { className: "badge", text: String(room.unread_count) }));
    }
    const last = room.last_message;
    const preview = last ? `${last.sender?.username}: ${plainText(last.content)}` : "no messages yet";
    button.append(node("small", { text: preview }));
    button.setAttribute("aria-current", String(room.id === roomId));
    button.onclick = () => select(room.id);
    return node("li", {}, button);
  }));
}

function select(id) {
  roomId = id;
  messages = [];
  olderLoading = false;
  byId("older").hidden = true;
  byId("room-title").textContent = "No room selected";
  byId("room-about").textContent = "";
  showMessages();
  showRooms();
  enableComposer();
  if (id) {
    byId("room-title").textContent = roomName(rooms.find((room) => room.id === id) ?? {});
    send("room.info", { room_id: id }, "roominfo.dispatch");
    askForMessages({ page: 1, size: PAGE_SIZE });
  }
}

function askForMessages(paginate) {
  send("room.messages", { room_id: roomId, paginate }, "roommessages.dispatch");
}

function showRoom(room) {
  const members = room.participants ?? room.subscribers ?? [];
  const names = members.map(({ username }) => username).join(", ");
  byId("room-about").textContent = [room.description, `${room.type}: ${names}`].filter(Boolean).join(" · ");
}

function showLatest(message) {
  const room = rooms.find(({ id }) => id === message.room.id);
  if (!room) return refreshRooms();
  room.last_message = message;
  if (!isMine(message)) room.unread_count = (room.unread_count ?? 0) + 1;
  rooms = [room, ...rooms.filter((other) => other !== room)];
  showRooms();
}

// --- messages ------------------------------------------------------------------------------

function showHistory({ has_next: hasOlder, data }) {
  if (data.room_id !== roomId) return;
  const known = new Set(messages.map(({ id }) => id));
  const loaded = data.messages.filter(({ id }) => !known.has(id)).reverse();
  messages = [...loaded, ...messages];
  byId("older").hidden = !hasOlder;
  const fromBottom = byId("history").scrollHeight - byId("history").scrollTop;
  showMessages();
  // Older messages grow above what is being read, which stays where it is.
  if (olderLoading) byId("history").scrollTop = byId("history").scrollHeight - fromBottom;
  olderLoading = false;
  readWhatIsSeen();
}

function upsert(message, { known = false } = {}) {
  if (message.room.id !== roomId) return;
  const index = messages.findIndex(({ id }) => id === message.id);
  if (index >= 0) messages[index] = message;
  else if (!known) messages.push(message);
  showMessages();
}

function upsertKnown(data) {
  for (const message of [data].flat()) upsert(message, { known: true });
}

function readWhatIsSeen() {
  const unread = messages.filter(unreadByMe).map(({ id }) => id).filter((id) => !readSent.has(id));
  if (!unread.length || document.hidden || !isOpen()) return;
  unread.forEach((id) => readSent.add(id));
  send("message.read", { message_id: unread });
  const room = rooms.find(({ id }) => id === roomId);
  if (room) room.unread_count = 0;
  showRooms();
}

function showMessages() {
  const history = byId("history");
  const atBottom = history.scrollHeight - history.scrollTop - history.clientHeight < 40;
  byId("messages").replaceChildren(...messages.map(messageNode));
  if (atBottom) history.scrollTop = history.scrollHeight;
  refreshSample();
}

function messageNode(message) {
  const item = node("li", { className: isMine(message) ? "message mine" : "message" });
  item.append(node("header", {},
    node("strong", { text: message.sender?.username }),
    node("small", { text: clock(message.created_at) + (message.is_edited ? " · edited" : "") })));
  const quoted = message.parent_message ?? message.forwarded_from;
  if (quoted) {
    const label = message.parent_message ? "reply to" : "forwarded from";
    const text = `${label} ${quoted.sender?.username}: ${plainText(quoted.content)}`;
    item.append(node("p", { className: "quote", text }));
  }
  item.append(node("p", { text: plainText(message.content) }));
  for (const { media_type: type, media_url: url } of message.attachments) {
    item.append(node("p", { className: "quote", text: `${type}: ${url}` }));
  }
  const notes = message.reactions.map(({ user, reaction_content: what }) => `${what} ${user.username}`);
  if (isMine(message)) {
    const read = readers(message);
    const delivered = message.delivered_to.filter((name) => !read.includes(name));
    if (delivered.length) notes.push(`✓ delivered to ${delivered.join(", ")}`);
    if (read.length) notes.push(`✓✓ read by ${read.join(", ")}`);
  }
  if (notes.length) item.append(node("footer", { text: notes.join(" · ") }));
  return item;
}

// --- frames --------------------------------------------------------------------------------

function logFrame(direction, text) {
  let frame = null;
  try {
    frame = JSON.parse(text);
  } catch {
    // The text area sends anything, to show what the server makes of it.
  }
  const name = frame?.event_type ?? frame?.eventType
    ?? (frame?.error ? `error ${frame.error.code ?? ""}` : frame?.status ?? "?");
  const arrow = direction === "out" ? "→" : "←";
  const time = new Date().toLocaleTimeString();
  const details = node("details", {},
    node("summary", { text: `${arrow} ${name} ` }, node("small", { text: `${time} · ${text.length} characters` })),
    node("pre", { text: frame ? JSON.stringify(frame, null, 2) : text }));
  const frames = byId("frames");
  const atBottom = frames.scrollHeight - frames.scrollTop - frames.clientHeight < 40;
  frames.append(node("li", { className: frame?.error ? "bad" : direction }, details));
  while (frames.childElementCount > FRAMES_KEPT) frames.firstElementChild.remove();
  if (atBottom) frames.scrollTop = frames.scrollHeight;
}

// Ready-made events for the text area, with the selected room and its messages filled in.
const SAMPLES = {
  "room.list": () => ({}),
  "room.info": () => ({ room_id: roomId }),
  "room.messages": () => ({ room_id: roomId, paginate: { page: 1, size: 5 } }),
  "message.send": () => ({ room_id: roomId, content: "Sent <b>by hand</b>", extra_fields: {} }),
  "message.typing": () => ({ room_id: roomId }),
  "message.react": () => ({ type: "add", message_id: lastId(), reaction_content: "👍" }),
  "message.modify": () => ({ action: "update", message_id: lastId(isMine), extra_fields: { content: "Better words" } }),
  "room.create": () => ({ type: "GroupChat", name: "Book club", participants: [], extra_fields: {} }),
  "room.add_members": () => ({ room_id: roomId, members: [] }),
  "room.leave": () => ({ room_id: roomId }),
  "session.heartbeat": () => ({}),
  "session.resume": () => ({ streams: {} }),
};

const lastId = (which = () => true) => messages.filter(which).at(-1)?.id ?? null;

function showSample() {
  const eventType = byId("sample").value;
  shownSample = JSON.stringify({ event_type: eventType, data: SAMPLES[eventType]() }, null, 2);
  byId("raw").value = shownSample;
}

// Keeps the ids in it up to date, unless somebody has edited it.
function refreshSample() {
  if (byId("raw").value === shownSample) showSample();
}

// --- the page ------------------------------------------------------------------------------

byId("sample").append(...Object.keys(SAMPLES).map((name) => node("option", { text: name })));
byId("sample").onchange = showSample;
showSample();

byId("connect").onclick = () => (chat.state === "closed" ? chat.connect() : chat.close());
byId("clear").onclick = () => byId("frames").replaceChildren();
byId("older").onclick = () => {
  olderLoading = true;
  askForMessages({ before: messages[0].id, size: PAGE_SIZE });
};
byId("composer").onsubmit = (event) => {
  event.preventDefault();
  const content = byId("content").value.trim();
  if (!content) return;
  notice("");
  chat.sendMessage({ room_id: roomId, content: asHtml(content) }).catch(showRefused);
  byId("content").value = "";
};
byId("raw-form").onsubmit = (event) => {
  event.preventDefault();
  notice("");
  try {
    chat.post(byId("raw").value);
  } catch (error) {
    showRefused(error); // It is too large.
  }
};
document.addEventListener("visibilitychange", readWhatIsSeen);

// Cookies belong to a host name: under the other name of this machine somebody else can log in.
const other = { "127.0.0.1": "localhost", localhost: "127.0.0.1" }[location.hostname];
if (other) byId("second-user").href = `${location.protocol}//${other}:${location.port}/`;
else byId("second-user").hidden = true;

for (const [name, handler] of Object.entries(HANDLERS)) chat.on(name, handler);
chat.connect();
