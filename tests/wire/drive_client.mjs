// Runs the JavaScript reference client as told on stdin, one JSON command a line, and writes
// what it hears to stdout, one JSON event a line.

import { createInterface } from "node:readline";
import { pathToFileURL } from "node:url";

const [file, url] = process.argv.slice(2);
const { ChatClient } = await import(pathToFileURL(file));
const write = (name, data = null) => process.stdout.write(JSON.stringify({ name, data }) + "\n");

const client = new ChatClient(url, {
  onEvent: write,
  onReady: () => write("ready"),
  onGone: (stream) => write("gone", stream),
  onRefetch: (stream) => write("refetch", stream),
  onLoggedOut: () => write("logged out"),
});
client.connect();

const commands = {
  send: ({ room, content }) => client.sendMessage(room, content),
  break: () => client.socket.close(),
};
for await (const line of createInterface({ input: process.stdin })) {
  const command = JSON.parse(line);
  commands[command.do](command);
}
client.stop();
