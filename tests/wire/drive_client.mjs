// Runs the JavaScript client as told on stdin, one JSON command a line, and writes what it hears
// to stdout, one JSON event a line.

import { createInterface } from "node:readline";
import { pathToFileURL } from "node:url";

const [file, given] = process.argv.slice(2);
const { ChatClient } = await import(pathToFileURL(file));
const { urls, tokens, late, ...options } = JSON.parse(given);
const write = (name, data = null) => process.stdout.write(JSON.stringify({ name, data }) + "\n");
const soon = (value) => (late ? new Promise((done) => setImmediate(done, value)) : value);
const shown = ({ code, detail, message }) => ({ code: code ?? null, detail: detail ?? message });

if (tokens) {
  options.token = (renew) => {
    write("token", renew);
    const token = tokens.length > 1 ? tokens.shift() : tokens[0];
    if (token === "trouble") throw new Error("no token today");
    return soon(token);
  };
  options.protocols = (token) => soon(["bearer", token]);
}
const url = (token) => {
  const found = urls.length > 1 ? urls.shift() : urls[0];
  return soon(token === null ? found : `${found}?token=${token}`);
};
const client = new ChatClient(urls.length > 1 || tokens ? url : urls[0], {
  ...options,
  onState: (state, code, pause) => {
    write(state, code);
    if (pause !== undefined) write("pause", pause / 1000);
  },
  onGone: (stream) => write("gone", stream),
  onRefetch: (stream) => write("refetch", stream),
  onRefused: (error, message) => write("refused", { ...shown(error), message: message?.content }),
  onProblem: ({ message }) => write("problem", message),
});
for (const name of [
  "message.dispatch",
  "messagetyping.dispatch",
  "presence.dispatch",
  "roomdelete.dispatch",
]) {
  client.on(name, (data) => write(name, data));
}
client.connect();

const settle = (promise) =>
  promise.then(
    (result) => write("resolved", result),
    (error) => write("rejected", { kind: error.constructor.name, ...shown(error) }),
  );
const commands = {
  ask: ({ event, data, answer }) => settle(client.ask(event, data, answer)),
  send: ({ room, content, ...more }) =>
    settle(client.sendMessage({ room_id: room, content, ...more })),
  watch: ({ data }) => client.watchPresence(data),
  active: ({ active }) => client.setActive(active),
  post: ({ text }) => client.post(text),
  save: () => write("saved", client.save()),
  break: () => client.socket.close(),
  close: () => client.close(),
  connect: () => client.connect(),
};
for await (const line of createInterface({ input: process.stdin })) {
  const command = JSON.parse(line);
  commands[command.do](command);
}
client.close();
