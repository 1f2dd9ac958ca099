// What this node's places have for a certificate: its file, each HAProxy, and a
// client that makes a handshake.
import { html } from "./preact/standalone.module.js";
import { Verdict } from "./words.js";
import { ago } from "./model.js";

const title = (place) => (place === "file" ? "file" : place === "client" ? "handshake" : place.replace(/^haproxy/, "HAProxy"));

const time = (text) => (text ? Date.parse(text) : 0);

function says(t, now) {
  const words = [];
  if (t.this_update) words.push("made " + ago(time(t.this_update), now), "ends " + ago(time(t.next_update), now));
  if (t.sha256) words.push("SHA-256 " + t.sha256.slice(0, 12) + "…");
  if (t.error) words.push(t.error);
  return words.join(", ") || "nothing more is known";
}

const verdict = (f) =>
  f.truths.length < 2 ? "There is one place to look at" : f.agree ? "All have the same" : "They differ";

// Truths are this node's; others names the nodes that have the rest.
export function Truths({ here, error, now, others, link }) {
  const elsewhere = others?.filter((n) => n.node !== here?.node);
  return html`<h3>On this node</h3>
    ${!here && html`<p class="none">${error || "Looking …"}</p>`}
    ${here?.files.map(
      (f) => html`<p class=${f.agree ? "none" : "differ"}>${verdict(f)}${here.files.length > 1 && ` for ${f.job}/${f.name}`}. ${here.node} looked ${ago(Math.min(time(here.at), now), now)}.</p>
        <table><thead><tr><th scope="col">Place</th><th scope="col">Says</th><th scope="col">Response</th></tr></thead>
        <tbody>${f.truths.map(
          (t) => html`<tr key=${t.place}><th scope="row">${title(t.place)}</th><td><${Verdict} is=${t.says} /></td><td>${says(t, now)}</td></tr>`,
        )}</tbody></table>
        ${f.truths.length > 0 && !f.truths.some((t) => t.place === "client") &&
        html`<p class="none">What a client gets is not looked at: set connect = "HOST:PORT" in the job ${f.job}.</p>`}`,
    )}
    ${elsewhere?.length > 0 &&
    html`<p class="none">What other nodes have, their own pages show: ${elsewhere.slice(0, 8).map((n, i) => html`${i > 0 && ", "}${link(n.node)}`)}${
      elsewhere.length > 8 && html`, and ${elsewhere.length - 8} more, below`}.</p>`}`;
}
