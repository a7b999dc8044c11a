// Runs the JavaScript client as told on stdin, one JSON command a line, and writes what it hears
// to stdout, one JSON event a line.

import { createInterface } from "node:readline";
import { pathToFileURL } from "node:url";

const [file, url] = process.argv.slice(2);
const { ChatClient } = await import(pathToFileURL(file));
const write = (name, data = null) => process.stdout.write(JSON.stringify({ name, data }) + "\n");

const client = new ChatClient(url, {
  onState: (state, code) => write(state, code),
  onGone: (stream) => write("gone", stream),
  onRefetch: (stream) => write("refetch", stream),
  onRefused: ({ code, detail }) => write("refused", { code, detail }),
});
for (const name of ["message.dispatch", "messagetyping.dispatch", "roomdelete.dispatch"]) {
  client.on(name, (data) => write(name, data));
}
client.connect();

const settle = (promise) =>
  promise.then(
    (result) => write("resolved", result),
    ({ code, message }) => write("rejected", code ?? message),
  );
const commands = {
  ask: ({ event, data, answer }) => settle(client.ask(event, data, answer)),
  send: ({ room, content }) => settle(client.sendMessage({ room_id: room, content })),
  post: ({ text }) => client.post(text),
  break: () => client.socket.close(),
  close: () => client.close(),
  connect: () => client.connect(),
};
for await (const line of createInterface({ input: process.stdin })) {
  const command = JSON.parse(line);
  commands[command.do](command);
}
client.close();
