// A worker: asks the agent, and reads what may be megabytes away from the
// thread that draws. Of the certificates it tells only what changed.

const known = new Map(); // id -> all that was told of it

// reach is what the agent answers. Browsers have their own words for what goes
// wrong there, such as "Failed to fetch", which here would mean another thing.
async function reach(path) {
  let answer;
  try {
    answer = await fetch("../v1/" + path, { signal: AbortSignal.timeout(30_000) });
  } catch (error) {
    throw new Error(error.name === "TimeoutError" ? "no answer within 30 s" : "this agent does not answer");
  }
  try {
    return [answer, await answer.json()];
  } catch (error) {
    throw new Error(error.name === "SyntaxError" ? "who answers is not the agent: HTTP status " + answer.status : "the agent's answer broke off");
  }
}

async function ask(path) {
  const [answer, body] = await reach(path);
  body.clock = Date.parse(answer.headers.get("date") || "") || 0;
  if (!answer.ok) throw new Error(body.error || "the agent answers " + answer.status);
  if (body.format !== 1) throw new Error("the agent was replaced by one of another format: load this page again");
  return body;
}

// What decides the order: who must act comes first.
function rank(s) {
  if (s.state === "revoked") return 0;
  return (s.state === "ok" || s.state === "canary" ? 3 : 1) + (s.must_staple ? 0 : 1);
}

const time = (text) => (text ? Date.parse(text) : 0);

// row is a certificate as the page shows it; all that it is found by is in find.
function row(s) {
  const label = s.job && s.name ? s.job + "/" + s.name : s.names[0] || s.id.slice(0, 12);
  const find = [label, ...s.names, s.id, s.serial, s.responder, s.reason].join("\n").toLowerCase();
  return { ...s, label, find, rank: rank(s), made: time(s.this_update), end: time(s.until) };
}

async function status() {
  const { staples, ...report } = await ask("status");
  const changed = [];
  const listed = new Set();
  for (const s of staples) {
    listed.add(s.id);
    // These two change with the clock alone, which the page has itself.
    const text = JSON.stringify({ ...s, seconds_left: 0, life_left: 0 });
    if (known.get(s.id) === text) continue;
    known.set(s.id, text);
    changed.push(row(s));
  }
  const gone = [...known.keys()].filter((id) => !listed.has(id));
  for (const id of gone) known.delete(id);
  return { report, changed, gone };
}

addEventListener("message", async ({ data }) => {
  try {
    postMessage({ ...data, got: data.path === "status" ? await status() : await ask(data.path) });
  } catch (error) {
    postMessage({ ...data, error: error.message });
  }
});
