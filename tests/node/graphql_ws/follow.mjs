// Follows rooms at the GraphQL endpoint with graphql-ws, on one socket, as a tool in Node does.
//
// The one argument is JSON: the url, the cookie, and the rooms by name. Every frame is a line of
// JSON on standard output. Each line of standard input names a subscription to end.
import { createInterface } from "node:readline";
import { createClient } from "graphql-ws";
import WebSocket from "ws";

const { url, cookie, rooms } = JSON.parse(process.argv[2]);
const say = (line) => process.stdout.write(`${JSON.stringify(line)}\n`);

class SignedIn extends WebSocket {
  constructor(address, protocols) {
    super(address, protocols, { headers: { Cookie: cookie }, origin: new URL(url).origin.replace("ws", "http") });
  }
}

const client = createClient({
  url,
  webSocketImpl: SignedIn,
  retryAttempts: Infinity,
  shouldRetry: () => true, // also while nobody answers
  retryWait: () => new Promise((resolve) => setTimeout(resolve, 50)),
  on: { connected: () => say({ connected: true }) },
});

const query = `subscription ($room: UUID!, $after: Int) {
  room_events(room_id: $room, after: $after) {
    seq
    event { __typename ... on MessageSent { message { content } } }
  }
}`;

const subscriptions = new Map();

function follow(name, room) {
  const variables = { room, after: 0 };
  const sink = {
    next({ data, errors }) {
      if (errors) {
        say({ name, codes: errors.map((error) => error.extensions.code) });
        return;
      }
      const { seq, event } = data.room_events;
      // After a reconnection graphql-ws sends the operation again, with the variables of now.
      variables.after = seq;
      say({ name, seq, content: event.message?.content ?? null });
    },
    error: (problem) => say({ name, error: String(problem?.reason ?? problem) }),
    complete: () => say({ name, complete: true }),
  };
  subscriptions.set(name, client.subscribe({ query, variables }, sink));
}

for (const [name, room] of Object.entries(rooms)) {
  follow(name, room);
}

for await (const name of createInterface({ input: process.stdin })) {
  subscriptions.get(name)();
}
await client.dispose();
