// Sends one request to a runtime and prints the result. Written from docs/protocol.md alone.
//
//   npm install zeromq
//   node ask.mjs HOME_OR_KEY TYPE [FIELD=VALUE]…      node ask.mjs ~/.local/state/callboard workflow.list
//
// HOME_OR_KEY is the home of a runtime on this machine, or the file of a key for its TCP door.
import { randomUUID } from "node:crypto";
import { readFileSync, statSync } from "node:fs";
import { join } from "node:path";
import { Dealer } from "zeromq";

const [place, type, ...fields] = process.argv.slice(2);
const isHome = statSync(place).isDirectory();
const at = JSON.parse(readFileSync(isHome ? join(place, "connection.json") : place, "utf8"));
const socket = new Dealer({ linger: 0, receiveTimeout: 30_000 });
if (!isHome) {
  socket.curveServerKey = at.server_requests;
  socket.curvePublicKey = at.public;
  socket.curveSecretKey = at.secret;
}
socket.connect(at.requests);

async function ask(request) {
  await socket.send(JSON.stringify(request));
  for (;;) {
    const [frame] = await socket.receive();
    const reply = JSON.parse(frame.toString());
    if (reply.id === request.id || reply.id === null) return reply;
  }
}

let id = randomUUID();
if (!isHome) {
  // Over TCP a request that changes something is named within the runtime's epoch.
  const { result } = await ask({ type: "runtime.info", id });
  id = `${result.epoch}/${randomUUID()}`;
}
const request = { type, id };
for (const field of fields) {
  const at = field.indexOf("=");
  request[field.slice(0, at)] = field.slice(at + 1);
}
const reply = await ask(request);
socket.close();
if (reply.ok) {
  console.log(JSON.stringify(reply.result));
} else {
  console.error(`${reply.error.code} ${reply.error.reason}: ${reply.error.message}`);
  process.exitCode = 1;
}
