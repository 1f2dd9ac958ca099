// What is known, and the words for it. Nothing here draws.

export const states = ["revoked", "ended", "missing", "failing", "ending", "unstaplable", "canary", "ok"];

export const meaning = {
  revoked: "the response says that the certificate is revoked",
  ended: "the response must no longer be served",
  missing: "there never was a response",
  failing: "the last fetches failed; the response lives on",
  ending: "less than a quarter of its life is left",
  unstaplable: "verified, but HAProxy can't staple it",
  canary: "revoked by plan: it measures how long that takes to clients",
  ok: "the response is good and lives",
  stale: "silent for more than five minutes",
  clock: "its clock is ahead",
  trouble: "something is wrong there",
};

const urgent = (a, b) => a.rank - b.rank || a.end - b.end || (a.label < b.label ? -1 : a.label > b.label ? 1 : 0);

// Known gathers what the worker tells.
export class Known {
  all = new Map();
  list = []; // in the order of urgency
  counts = {};
  report = null;
  offset = 0; // of the agent's clock from the browser's

  take({ report, changed, gone }) {
    this.report = report;
    this.offset = (report.clock || Date.parse(report.now)) - Date.now();
    if (!changed.length && !gone.length) return;
    for (const s of changed) this.all.set(s.id, s);
    for (const id of gone) this.all.delete(id);
    this.list = [...this.all.values()].sort(urgent);
    this.counts = { must: 0 };
    for (const s of this.list) {
      this.counts[s.state] = (this.counts[s.state] || 0) + 1;
      if (s.must_staple) this.counts.must++;
    }
  }

  now() {
    return Date.now() + this.offset;
  }

  // chosen are those that have the state, if one is asked for, and every word.
  chosen({ state, must, text }) {
    const words = text.toLowerCase().split(/\s+/).filter(Boolean);
    if (!state && !must && !words.length) return this.list;
    return this.list.filter(
      (s) => (!state || s.state === state) && (!must || s.must_staple) && words.every((w) => s.find.includes(w)),
    );
  }
}

const units = [
  [86_400, "d"],
  [3_600, "h"],
  [60, "m"],
  [1, "s"],
];

// span is a duration with its two largest units, as in the terminal: 6d3h.
export function span(ms) {
  if (ms < 0) return "-" + span(-ms);
  const s = Math.floor(ms / 1000);
  for (const [i, [size, unit]] of units.entries()) {
    if (s < size) continue;
    let text = Math.floor(s / size) + unit;
    const [small, name] = units[i + 1] || [1, ""];
    const rest = Math.floor((s % size) / small);
    if (name && rest) text += rest + name;
    return text;
  }
  return "0s";
}

// ago is a moment as seen from now.
export function ago(at, now) {
  return at > now ? "in " + span(at - now) : span(now - at) + " ago";
}

// utc is a moment as everybody reads it alike.
export function utc(at) {
  return at ? new Date(at).toISOString().replace("T", " ").slice(0, 19) + " UTC" : "";
}

export function left(s, now) {
  if (!s.end) return "";
  if (s.end <= now) return span(s.end - now);
  const part = Math.floor(((s.end - now) / (s.end - s.made)) * 100);
  return Math.min(100, part) + "% " + span(s.end - now);
}

// why is the failure in one line.
export function why({ reason, error, failures, target }) {
  if (!reason) return "";
  const times = failures > 1 ? ` (${failures} times)` : "";
  const text = error && error !== reason ? ": " + (error.startsWith(reason + ": ") ? error.slice(reason.length + 2) : error) : "";
  return (target ? target + ": " : "") + reason + times + text;
}

export const plural = (n, noun) => `${n.toLocaleString("en")} ${noun}${n === 1 ? "" : "s"}`;
