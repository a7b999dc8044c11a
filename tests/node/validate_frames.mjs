// Validates frames against the JSON Schema of the events, for as long as stdin lasts.
//
// A line in is a JSON array of [kind, text], the kind "sent", "received" or "closed"; the line out is an array of what is wrong with
// each: null, or a sentence.

import { readFile } from "node:fs/promises";
import { createInterface } from "node:readline";
import Ajv from "ajv";
import addFormats from "ajv-formats";

const schema = JSON.parse(await readFile(process.argv[2], "utf8"));
const ajv = addFormats(new Ajv({ strict: true, allErrors: true }));
ajv.addSchema(schema, "chat");
const validator = (name) => ajv.getSchema(`chat#/definitions/${name}`);
const resolve = (shape) => (shape.$ref ? schema.definitions[shape.$ref.split("/").at(-1)] : shape);

// The definitions of the events of one direction, by their names on the wire.
function byTag(union, tag) {
  const names = schema.definitions[union].oneOf.map(({ $ref }) => $ref.split("/").at(-1));
  return new Map(names.map((name) => [schema.definitions[name].properties[tag].const, name]));
}
const sent = byTag("ClientEvent", "event_type");
const received = byTag("ServerEvent", "eventType");
const isClientEvent = validator("ClientEvent");
const isServerFrame = validator("ServerFrame");

function explain(valid, frame) {
  valid(frame);
  const problems = valid.errors ?? [{ instancePath: "", message: "is valid by itself, but not in the union" }];
  return problems.slice(0, 5).map((one) => {
    const extra = one.params?.additionalProperty ?? one.params?.allowedValues ?? "";
    return `${one.instancePath || "the frame"} ${one.message} ${extra}`.trim();
  }).join("; ");
}

function checkReceived(frame) {
  if (isServerFrame(frame)) return null;
  const name = received.get(frame?.eventType);
  return explain(name ? validator(name) : isServerFrame, frame);
}

// The server ignores keys that it does not know beside `data` and directly in it, and data where
// none is needed. The contract has no such keys: without them a frame has to be valid.
function withoutIgnored(frame, name) {
  const shape = schema.definitions[name];
  const known = pick(frame, shape.properties);
  if (known.data === null || typeof known.data !== "object" || Array.isArray(known.data)) {
    if (!shape.required.includes("data")) delete known.data;
    return known;
  }
  const options = (shape.properties.data.oneOf ?? [shape.properties.data]).map(resolve);
  const fits = ({ properties }) =>
    Object.entries(properties).every(([key, { const: tag }]) => tag === undefined || tag === known.data[key]);
  return { ...known, data: pick(known.data, (options.find(fits) ?? { properties: {} }).properties) };
}

const pick = (object, properties) =>
  Object.fromEntries(Object.entries(object).filter(([key]) => Object.hasOwn(properties, key)));

function checkSent(frame) {
  if (isClientEvent(frame)) return null;
  const name = sent.get(frame?.event_type);
  if (!name) return "no event of that name";
  const known = withoutIgnored(frame, name);
  return isClientEvent(known) ? null : explain(validator(name), known);
}

function check([kind, text]) {
  if (kind === "closed") return null;
  let frame;
  try {
    frame = JSON.parse(text);
  } catch (error) {
    return `not JSON: ${error.message}`;
  }
  return kind === "sent" ? checkSent(frame) : checkReceived(frame);
}

for await (const line of createInterface({ input: process.stdin })) {
  process.stdout.write(JSON.stringify(JSON.parse(line).map(check)) + "\n");
}
