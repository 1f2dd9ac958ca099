// How the responders behave, as the agent knows that asks them.
import { html } from "./preact/standalone.module.js";
import { Rows } from "./rows.js";
import { Verdict } from "./words.js";
import { ago, plural } from "./model.js";

const seconds = (s) => (s < 1 ? Math.round(s * 1000) + " ms" : s.toFixed(1) + " s");

const latency = ({ of, median_seconds, p95_seconds, longest_seconds }) =>
  `half within ${seconds(median_seconds)}, 95% within ${seconds(p95_seconds)}, longest ${seconds(longest_seconds)}, of the last ${plural(of, "exchange")}`;

const failures = (r) => {
  const reasons = Object.entries(r.failures).sort((a, b) => b[1] - a[1]);
  return reasons.length ? reasons.map(([reason, n]) => `${reason} ${n.toLocaleString("en")}`).join(", ") : "no failures";
};

const share = (r) => (r.failed ? ` (${Math.max(0.1, (100 * r.failed) / r.exchanges).toFixed(1)}%)` : "");

const last = (r, now) =>
  [r.last_success && "answered " + ago(Date.parse(r.last_success), now), r.last_failure && "failed " + ago(Date.parse(r.last_failure), now)]
    .filter(Boolean)
    .join(", ");

// Who says where to look, if this agent does not ask them.
function Elsewhere({ asking, link }) {
  if (asking.fetches) return null;
  const leads = asking.leader?.node;
  return html`<p class="none">${asking.node} does not ask the responders${leads
      ? html` now: ${link(leads)} does, and its page shows how they behave.`
      : " now, and nobody leads."}${asking.responders.length > 0 && " Below is what it met when it did."}</p>`;
}

const hostOf = (url) => {
  try {
    return new URL(url).host;
  } catch {
    return "";
  }
};

// Behaviour is that of the responders of one certificate.
export function Behaviour({ asking, hosts, url, error, now, link }) {
  const wanted = hosts?.length ? hosts : [hostOf(url)].filter(Boolean);
  const list = asking ? asking.responders.filter((r) => wanted.includes(r.host)) : [];
  return html`<h3>Responder</h3>
    ${!asking && html`<p class="none">${error || "Asking …"}</p>`}
    ${asking && html`<${Elsewhere} asking=${{ ...asking, responders: list }} link=${link} />`}
    ${asking?.fetches && !list.length && html`<p class="none">${wanted.join(", ") || "The certificate names none, and none"} was not asked since ${asking.node} began.</p>`}
    ${list.map(
      (r) => html`<dl key=${r.host}>
        <div><dt>${r.host}</dt><dd><${Verdict} is=${r.last_reason ? "fails" : "answers"} /> ${r.last_reason} ${last(r, now)}</dd></div>
        <div><dt>Latency</dt><dd>${latency(r.latency)}</dd></div>
        <div><dt>Exchanges</dt><dd>${r.exchanges.toLocaleString("en")} since ${ago(Date.parse(r.since), now)}, of them ${r.failed.toLocaleString("en")} failed${share(r)}</dd></div>
        <div><dt>Failures by reason</dt><dd>${failures(r)}</dd></div>
      </dl>`,
    )}`;
}

// Responders are all of them; opening one shows its certificates.
export function Responders({ asking, now, open, link }) {
  const head = () => html`
    <span role="columnheader" class="c-state">Last</span>
    <span role="columnheader" class="c-label">Responder, failures by reason</span>
    <span role="columnheader" class="c-left">Failed</span>
    <span role="columnheader" class="c-nodes">Median</span>
    <span role="columnheader" class="c-track">Latency of the last exchanges</span>`;
  const row = (r) => html`
    <span role="gridcell" class="c-state"><${Verdict} is=${r.last_reason ? "fails" : "answers"} /></span>
    <span role="gridcell" class="c-label"><b>${r.host}</b><small>${failures(r)}</small></span>
    <span role="gridcell" class="c-left">${r.failed.toLocaleString("en")}${share(r)}</span>
    <span role="gridcell" class="c-nodes">${seconds(r.latency.median_seconds)}</span>
    <span role="gridcell" class="c-track">95% within ${seconds(r.latency.p95_seconds)}, longest ${seconds(r.latency.longest_seconds)}
      <small>${plural(r.exchanges, "exchange")}, ${last(r, now)}</small></span>`;
  return html`<${Elsewhere} asking=${asking} link=${link} />
    ${asking.responders.length > 0
      ? html`<${Rows} key="responders" label="Responders" items=${asking.responders} name=${(r) => r.host} head=${head} row=${row} open=${open} />`
      : asking.fetches && html`<p class="none">No responder was asked since ${asking.node} began.</p>`}`;
}
