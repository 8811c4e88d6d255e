// Prints every fact after SEQ over HTTP, one JSON document a line, each once and in order, for ever.
// Needs Node 18 and no package. Written from docs/protocol.md alone.
//
//   node events.mjs HOME [SEQ] [ADDRESS]
//
// A browser's EventSource sends no Authorization header, so this reads the stream with fetch.
import { readFileSync } from "node:fs";
import { join } from "node:path";

const [home, after = "0", address = ""] = process.argv.slice(2);
let last = after;
let retry = 1000;

async function follow() {
  // Read anew each time: the token and the port change when another runtime begins.
  const { http, token } = JSON.parse(readFileSync(join(home, "connection.json"), "utf8"));
  const url = new URL("/api/events", http);
  if (address) url.searchParams.set("address", address);
  const headers = { Authorization: `Bearer ${token}`, "Last-Event-ID": last };
  const answer = await fetch(url, { headers });
  if (!answer.ok) throw new Error(`${answer.status} ${await answer.text()}`);
  let rest = "";
  const decoder = new TextDecoder();
  for await (const piece of answer.body) {
    rest += decoder.decode(piece, { stream: true });
    for (let end; (end = rest.indexOf("\n\n")) >= 0; rest = rest.slice(end + 2)) {
      take(rest.slice(0, end));
    }
  }
}

function take(event) {
  const fields = {};
  for (const line of event.split("\n")) {
    const colon = line.indexOf(":");
    if (colon > 0) fields[line.slice(0, colon)] = line.slice(colon + 1).replace(/^ /, "");
  }
  if (fields.retry) retry = Number(fields.retry);
  if (fields.data === undefined) return; // a comment, which says that the stream lives
  console.log(fields.data);
  last = fields.id;
}

for (;;) {
  try {
    await follow();
  } catch (error) {
    console.error(String(error.cause ?? error));
  }
  await new Promise((resolve) => setTimeout(resolve, retry));
}
