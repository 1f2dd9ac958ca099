// Canaries: how long their last revocation took to the clients of each node.
import { html } from "./preact/standalone.module.js";
import { plural, span, utc } from "./model.js";

const most = 200; // nodes in the table of one canary

const after = (s) => (s === null ? "not in time" : s < 60 ? s.toFixed(1) + "s" : span(s * 1000));

const failures = (c) => c.failures.map((f) => f.reason + ": " + f.error).join("; ");

// Faults says of which canaries something failed.
export function Faults({ canaries }) {
  return canaries
    .filter((c) => c.state === "failing")
    .map((c) => html`<p class="banner" key=${c.job}>Canary ${c.job}/${c.name}: ${failures(c)}</p>`);
}

// Measured is what its last round found out.
export function Measured({ of: c }) {
  if (!c) return;
  const table = html`<table><thead><tr><th scope="col">Node</th><th scope="col">Applied</th><th scope="col">Seen</th><th scope="col">Good again</th><th scope="col">Why not</th></tr></thead>
    <tbody>${c.nodes.slice(0, most).map(
      (n) => html`<tr key=${n.node}><th scope="row">${n.node}</th><td>${after(n.applied_seconds)}</td><td>${after(n.seen_seconds)}</td><td>${after(n.good_seconds)}</td><td>${n.error}</td></tr>`,
    )}</tbody></table>`;
  return html`<h3>Canary</h3>
    <p>${c.started ? `Revoked on ${utc(Date.parse(c.started))}, published after ${after(c.published_seconds)}.` : "It was not revoked yet."}
      ${c.phase && ` A round goes on: ${c.phase}.`} ${c.state === "failing" && html`<b class="bad">${failures(c)}</b>`}</p>
    ${c.nodes.length > 0 && table}
    ${c.nodes.length > most && html`<p class="none">and ${plural(c.nodes.length - most, "node")} more: see the status</p>`}`;
}
