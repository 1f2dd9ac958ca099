// The signed responses that this agent keeps of a certificate, the newest
// first, with where and since when each was in place.
import { html } from "./preact/standalone.module.js";
import { Verdict } from "./words.js";
import { ago, plural, utc } from "./model.js";

const time = (text) => (text ? Date.parse(text) : 0);
const most = 100; // places that are listed of one response

const since = (s) =>
  (s.how === "seen" ? "at " + utc(time(s.at)) + " at the latest" + (s.after ? ", after " + utc(time(s.after)) : "") : utc(time(s.at))) +
  `, ${s.how}${s.target ? " " + s.target : ""}`;

const where = (s) => s.node + (s.datacenter ? " in " + s.datacenter : "");

function Places({ list }) {
  if (!list.length) return html`<span>no server is known to have had it</span>`;
  return html`<details><summary>${plural(list.length, "place")}, first ${where(list[0])}, ${utc(time(list[0].at))}</summary>
    <ul>${list.slice(0, most).map((s) => html`<li><b>${where(s)}</b> ${since(s)}</li>`)}
    ${list.length > most && html`<li>and ${list.length - most} more: consul-ocsp history has all</li>`}</ul></details>`;
}

const file = (r) => `${(r.this_update || "response").replace(/[-:]/g, "")}-${r.sha256.slice(0, 12)}.der`;

const says = (r) => (r.verified ? r.status : "refused");

export function History({ of, error, now }) {
  return html`<h3>History</h3>
    ${!of && html`<p class="none">${error || "Asking …"}</p>`}
    ${of && html`<p class="none">${plural(of.kept, "signed response")} ${of.kept === 1 ? "is" : "are"} kept on this node${
        of.responses.length < of.kept && `, the newest ${of.responses.length} are shown`}. Times are those that this agent noted; only what the CA signed is proven.</p>`}
    ${of?.wrong.map((w) => html`<p class="differ">${w.file}: ${w.error}</p>`)}
    ${of?.responses.length > 0 &&
    html`<table><thead><tr><th scope="col">Made</th><th scope="col">Says</th><th scope="col">Stapled</th></tr></thead>
      <tbody>${of.responses.map(
        (r) => html`<tr key=${r.sha256}><th scope="row">${utc(time(r.this_update))}<br />${ago(time(r.this_update), now)}, ends ${ago(time(r.next_update), now)}<br />
            <a href=${"data:application/ocsp-response;base64," + r.der} download=${file(r)}>DER ${r.sha256.slice(0, 12)}…</a></th>
          <td><${Verdict} is=${says(r)} />${r.error && html`<br />${r.error}`}</td><td><${Places} list=${r.stapled} /></td></tr>`,
      )}</tbody></table>`}`;
}
