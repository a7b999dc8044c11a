// Parses an AsyncAPI file and prints what the parser says of it, as JSON.

import { readFile } from "node:fs/promises";
import { Parser } from "@asyncapi/parser";

const text = await readFile(process.argv[2], "utf8");
const { document, diagnostics } = await new Parser().parse(text);
const found = diagnostics.map(({ code, message, path, severity }) => ({ code, message, path, severity }));
console.log(JSON.stringify({ found, messages: document?.messages().all().map((message) => message.id()) }));
