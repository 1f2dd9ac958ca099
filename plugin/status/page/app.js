// The page: what it asks for, and what it shows of that. All text comes from
// records that anybody may have written: it becomes text nodes and attributes,
// never markup; the page's policy (trusted types) forbids anything else.
import { html, render, useEffect, useMemo, useReducer, useRef, useState } from "./preact/standalone.module.js";
import { Faults } from "./canary.js";
import { Certificate, Node } from "./detail.js";
import { Matrix } from "./matrix.js";
import { Known, plural, span, states, meaning } from "./model.js";
import { Nodes } from "./nodes.js";
import { Responders } from "./responders.js";
import { Timeline, windows } from "./timeline.js";

const pause = 5_000; // between two questions; ten times as long as an answer took, if that is more
const seldom = 60_000; // what is kept as evidence changes seldom
const views = { timeline: "Timeline", matrix: "Matrix", nodes: "Nodes", responders: "Responders" };

const address = new URL("feed.js", import.meta.url);
const policy = window.trustedTypes?.createPolicy("feed", { createScriptURL: () => address.href });
const worker = new Worker(policy ? policy.createScriptURL("") : address.href);
const waiting = new Map();
let questions = 0;
worker.addEventListener("message", ({ data }) => {
  waiting.get(data.n)?.(data);
  waiting.delete(data.n);
});
worker.addEventListener("error", (event) => {
  for (const answer of waiting.values()) answer({ error: event.message || "the page's feed does not start" });
  waiting.clear();
});
const ask = (path) =>
  new Promise((resolve, reject) => {
    const n = ++questions;
    waiting.set(n, ({ got, error }) => (got ? resolve(got) : reject(new Error(error))));
    worker.postMessage({ n, path });
  });

const known = new Known();

// The address says what is shown, so that it can be kept, sent and gone back from.
function place() {
  const [view, what] = location.hash.slice(1).split("/");
  let name = "";
  try {
    name = decodeURIComponent(what || "");
  } catch {} // not from here
  return { view: views[view] ? view : "timeline", what: name };
}

const go = (view, what) => (location.hash = what ? view + "/" + encodeURIComponent(what) : view);

function usePlace() {
  const [at, set] = useState(place);
  useEffect(() => {
    const moved = () => set(place());
    addEventListener("hashchange", moved);
    return () => removeEventListener("hashchange", moved);
  }, []);
  return at;
}

// forget drops what was told of certificates that are not shown any more.
function forget(state, paths) {
  for (const part of Object.values(state)) {
    for (const path of Object.keys(part)) if (path.includes("/") && !paths.includes(path)) delete part[path];
  }
}

// useFeed asks again and again for what is shown, while somebody looks.
function useFeed(paths) {
  const [, drawn] = useReducer((n) => n + 1, 0);
  const state = useRef({ extra: {}, errors: {}, notBefore: {} }).current;
  useEffect(() => {
    let timer = 0;
    let over = false;
    const turn = async () => {
      clearTimeout(timer);
      const began = performance.now();
      if (!document.hidden) {
        for (const path of paths) {
          if (began < state.notBefore[path]) continue;
          if (path.startsWith("history/")) state.notBefore[path] = began + seldom;
          try {
            const got = await ask(path);
            if (over) return;
            if (path === "status") known.take(got);
            else state.extra = { ...state.extra, [path]: got };
            delete state.errors[path];
          } catch (error) {
            if (over) return;
            state.errors[path] = error.message;
          }
          drawn();
        }
      }
      if (!over) timer = setTimeout(turn, Math.max(pause, 10 * (performance.now() - began)));
    };
    const seen = () => !document.hidden && turn();
    forget(state, paths);
    turn();
    document.addEventListener("visibilitychange", seen);
    return () => ((over = true), clearTimeout(timer), document.removeEventListener("visibilitychange", seen));
  }, [paths.join()]);
  return state;
}

// missed says that what an address names is not there any more.
const missed = (view, what) =>
  view === "nodes" ? `No node ${what.slice(0, 64)} is known now.` : `No certificate with the id ${what.slice(0, 64)} is known now: it was replaced or removed.`;

// useClock redraws each second: what is left runs down.
function useClock() {
  const [, tick] = useReducer((n) => n + 1, 0);
  useEffect(() => {
    const timer = setInterval(() => !document.hidden && tick(), 1000);
    return () => clearInterval(timer);
  }, []);
  return known.now();
}

function Top({ report, error, now }) {
  const behind = report ? now - Date.parse(report.now) : 0;
  return html`<header class="top">
    <h1>consul-ocsp</h1>
    ${report &&
    html`<p>${report.source === "consul" ? (report.leader ? html`led by <b>${report.leader.node}</b>` : "nobody leads") : "this node alone"}
      ${report.source === "consul" && html`<span>generation ${report.generation}</span>`}
      <span>as of ${span(Math.max(0, behind))} ago</span></p>`}
  </header>
  <div role="status">
    ${error && html`<p class="banner">No news: ${error}</p>`}
    ${report?.error && html`<p class="banner">What this node has alone: ${report.error}</p>`}
    ${report && html`<${Faults} canaries=${report.canaries} />`}
    ${report?.unreadable.length > 0 &&
    html`<p class="banner">${plural(report.unreadable.length, "record")} can't be read: ${report.unreadable[0].key}: ${report.unreadable[0].error}</p>`}
  </div>`;
}

function Filter({ choice, choose, counts, all, found, timeline }) {
  const tile = (state) => html`<button type="button" key=${state} class=${"tile " + (counts[state] ? state : "nothing " + state)} title=${meaning[state]} aria-pressed=${choice.state === state}
      onClick=${() => choose({ ...choice, state: choice.state === state ? "" : state })}><b>${(counts[state] || 0).toLocaleString("en")}</b> ${state}</button>`;
  return html`<div class="tiles" role="group" aria-label="Show only">${states.map(tile)}
      <button type="button" class="tile" aria-pressed=${choice.must} onClick=${() => choose({ ...choice, must: !choice.must })}>
        <b>${(counts.must || 0).toLocaleString("en")}</b> must-staple</button></div>
    <div class="tools">
      <label>Search <input type="search" id="search" placeholder="name, id, serial, responder, reason" value=${choice.text}
        onInput=${(e) => choose({ ...choice, text: e.target.value })} /></label>
      ${timeline &&
      html`<label>Around now <select value=${choice.around} onChange=${(e) => choose({ ...choice, around: e.target.value })}>
        ${Object.keys(windows).map((w) => html`<option key=${w} value=${w}>${w}</option>`)}</select></label>
        <span class="keys"><i class="key made"></i> made <i class="key half"></i> half of its life: refreshed by then <i class="key ends"></i> ends</span>`}
      <span class="found" aria-live="polite">${found === all ? plural(all, "certificate") : found.toLocaleString("en") + " of " + plural(all, "certificate")}</span>
    </div>`;
}

function App() {
  const { view, what } = usePlace();
  const paths = ["status"];
  if (view === "matrix") paths.push("nodes");
  const certificates = view === "timeline" || view === "matrix";
  const one = certificates && /^[0-9a-f]{64}$/.test(what) ? "staples/" + what : "";
  const truths = one.replace("staples", "truths");
  const history = one.replace("staples", "history") + "?limit=10";
  if (one) paths.push(one, truths, history);
  if (one || view === "responders") paths.push("responders");
  const { extra, errors } = useFeed(paths);
  const now = useClock();
  const [choice, choose] = useState({ state: "", must: false, text: "", around: "what there is" });
  const items = useMemo(() => known.chosen(choice), [choice, known.list]);
  const narrow = matchMedia("(max-width: 700px)").matches;
  const report = known.report;

  useEffect(() => {
    const slash = (event) => {
      if (event.key !== "/" || /^(INPUT|SELECT)$/.test(event.target.tagName) || document.querySelector("dialog")) return;
      event.preventDefault();
      document.getElementById("search")?.focus();
    };
    addEventListener("keydown", slash);
    return () => removeEventListener("keydown", slash);
  }, []);

  const nodes = report ? report.nodes : [];
  const staple = one && known.all.get(what);
  const node = view === "nodes" && what && nodes.find((n) => n.node === what);
  // Where another node knows more: its name, and its page if that is known.
  const pages = new Map(nodes.map((n) => [n.node, n.page]));
  const link = (name, plain) =>
    pages.get(name) ? html`<a href=${pages.get(name) + location.hash} rel="noreferrer">${name}</a>` : plain ? name : html`<b>${name}</b>`;
  const none = known.list.length ? "" : "No certificate is known: none is in the job files, and no node has announced any.";
  const troubled = nodes.filter((n) => n.state !== "ok").length;

  return html`<${Top} report=${report} error=${errors.status} now=${now} />
    <nav aria-label="Views">${Object.entries(views).map(
      ([key, name]) => html`<a key=${key} href=${"#" + key} aria-current=${view === key ? "page" : undefined}>${name}${
        key === "nodes" && (nodes.length > 0 || report?.source === "consul") && html` <small>${nodes.length}${troubled > 0 && html`, <b class="bad">${troubled} not ok</b>`}</small>`}</a>`)}</nav>
    <main class=${view}>
      ${report && what && view !== "responders" && !staple && !node && html`<p class="banner">${missed(view, what)} <a href=${"#" + view}>Show what there is</a></p>`}
      ${!report && !errors.status && html`<p class="none">Asking the agent …</p>`}
      ${report && certificates &&
      html`<${Filter} choice=${choice} choose=${choose} counts=${known.counts} all=${known.list.length} found=${items.length} timeline=${view === "timeline"} />`}
      ${report && view === "timeline" &&
      html`<${Timeline} items=${items} now=${now} none=${none} around=${windows[choice.around]} single=${report.source !== "consul"} open=${(s) => go(view, s.id)} />`}
      ${report && view === "matrix" && (extra.nodes
        ? html`<${Matrix} items=${items} matrix=${extra.nodes} none=${none} narrow=${narrow} open=${(s) => go(view, s.id)} />`
        : html`<p class="none">${errors.nodes || "Asking …"}</p>`)}
      ${report && view === "nodes" && html`<${Nodes} nodes=${nodes} now=${now} open=${(n) => go(view, n.node)} />`}
      ${report && view === "responders" && (extra.responders
        ? html`<${Responders} asking=${extra.responders} now=${now} link=${link} open=${(r) => (choose({ ...choice, state: "", must: false, text: r.host }), go("timeline"))} />`
        : html`<p class="none">${errors.responders || "Asking …"}</p>`)}
    </main>
    ${staple && html`<${Certificate} key=${what} s=${staple} canary=${report.canaries.find((c) => c.job === staple.job && c.name === staple.name)} told=${extra[one]} error=${errors[one]} here=${extra[truths]} notHere=${errors[truths]} history=${extra[history]} noHistory=${errors[history]} asking=${extra.responders} noAsking=${errors.responders} link=${link} now=${now} close=${() => go(view)} />`}
    ${node && html`<${Node} key=${what} n=${node} link=${link} now=${now} close=${() => go(view)} />`}`;
}

render(html`<${App} />`, document.body);
