// Prints every fact after SEQ, one JSON document a line, each once and in order, for ever.
// Written from docs/protocol.md alone.
//
//   npm install zeromq
//   node follow.mjs HOME_OR_KEY [SEQ]
//
// The feed may lose facts, and is silent while no runtime serves. What is missing is seen by its
// seq, and by the heartbeat's head, and is read with events.replay.
import { readFileSync, statSync } from "node:fs";
import { join } from "node:path";
import { Dealer, Subscriber } from "zeromq";

const [place, after = "0"] = process.argv.slice(2);
const isHome = statSync(place).isDirectory();
const at = JSON.parse(readFileSync(isHome ? join(place, "connection.json") : place, "utf8"));
let seq = Number(after);

function connect(socket, endpoint, server) {
  if (!isHome) {
    socket.curveServerKey = server;
    socket.curvePublicKey = at.public;
    socket.curveSecretKey = at.secret;
  }
  socket.connect(endpoint);
  return socket;
}

async function replay() {
  // A socket for each question: an answer that came too late goes with it.
  const socket = new Dealer({ linger: 0, receiveTimeout: 5_000 });
  connect(socket, at.requests, at.server_requests);
  try {
    await socket.send(JSON.stringify({ type: "events.replay", id: 1, after: seq, limit: 1000 }));
    const reply = JSON.parse((await socket.receive())[0].toString());
    return reply.ok ? reply.result : null; // null: it starts or stops; ask again
  } catch {
    return null;
  } finally {
    socket.close();
  }
}

function show(fact) {
  console.log(JSON.stringify(fact));
  seq = fact.seq;
}

async function heal() {
  for (;;) {
    const page = await replay();
    if (page === null) {
      await new Promise((resolve) => setTimeout(resolve, 200));
      continue;
    }
    page.facts.forEach(show);
    if (page.facts.length < 1000) {
      seq = Math.max(seq, page.head); // facts of finished workflows may have been compacted
      return;
    }
  }
}

const feed = new Subscriber({ linger: 0 });
feed.subscribe("");
connect(feed, at.feed, at.server_feed);
await heal();
for await (const [frame] of feed) {
  const text = frame.toString();
  if (text.startsWith("output/")) continue;
  const said = JSON.parse(text.slice(text.indexOf(" ") + 1));
  if (said.type === "heartbeat") {
    if (said.head > seq) await heal();
  } else if (said.seq === seq + 1) {
    show(said);
  } else if (said.seq > seq) {
    await heal();
  }
}
