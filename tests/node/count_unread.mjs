// Plays a recorded story to `UnreadCounts`; prints what it counts after each part.
import { readFileSync } from "node:fs";
import { pathToFileURL } from "node:url";

const [, , compiled, file] = process.argv;
const { UnreadCounts } = await import(pathToFileURL(compiled));
const { me, room, story } = JSON.parse(readFileSync(file, "utf8"));

const listeners = new Map();
let answer;
const chat = {
  at: null,
  on: (name, listener) => void listeners.set(name, listener),
  ask: async () => answer,
};
const counts = new UnreadCounts(chat, me);
const found = [];
for (const part of story) {
  answer = part.answer;
  if (part.all) await counts.refresh();
  for (const { eventType, data, stream, seq } of part.frames) {
    chat.at = { stream, seq };
    listeners.get(eventType)?.(data);
    chat.at = null;
  }
  // Every question is answered at once, and may lead to another one.
  for (let turn = 0; turn < 10; turn++) await new Promise((done) => setImmediate(done));
  found.push([counts.of(room).count, counts.total]);
}
console.log(JSON.stringify(found));
