// One certificate, or one node, over the rest of the page.
import { html, useEffect, useRef } from "./preact/standalone.module.js";
import { axis, Bar, extentOf } from "./timeline.js";
import { troubleText } from "./nodes.js";
import { Behaviour } from "./responders.js";
import { Measured } from "./canary.js";
import { Truths } from "./truths.js";
import { History } from "./history.js";
import { Verification } from "./verification.js";
import { State } from "./words.js";
import { ago, left, meaning, plural, utc, why } from "./model.js";

function Dialog({ title, close, children }) {
  const box = useRef();
  useEffect(() => {
    const before = document.activeElement;
    box.current.showModal();
    return () => before?.isConnected && before.focus();
  }, []);
  return html`<dialog ref=${box} aria-labelledby="detail" onClose=${close} onClick=${(e) => e.target === box.current && box.current.close()}>
    <div class="sheet"><header><h2 id="detail">${title}</h2><button type="button" onClick=${() => box.current.close()}>Close</button></header>${children}</div>
  </dialog>`;
}

const fact = (name, value) => value && html`<div><dt>${name}</dt><dd>${value}</dd></div>`;
const moment = (at, now) => at > 0 && `${utc(at)}, ${ago(at, now)}`;

export function Certificate({ s, canary, told, error, here, notHere, asking, noAsking, history, noHistory, now, close, link }) {
  const nodes = told?.nodes;
  return html`<${Dialog} title=${s.label} close=${close}>
    <p class="lead"><${State} is=${s.state} /> ${meaning[s.state]}${s.must_staple && html` <em class="must">must-staple</em>`}</p>
    ${s.end > 0 && html`<div class="big"><${Bar} s=${s} axis=${axis(extentOf([s]), now, 0)} /></div>`}
    <dl>
      ${fact("Left", left(s, now))}
      ${fact("Made", moment(s.made, now))}
      ${fact("Half of its life", s.end > 0 && moment((s.made + s.end) / 2, now))}
      ${fact("Asked for", told?.asked_next && moment(Date.parse(told.asked_at || ""), now))}
      ${fact("Asked again", told?.asked_next && moment(Date.parse(told.asked_next), now))}
      ${fact("Ends", moment(s.end, now))}
      ${fact("Next update", s.next_update !== s.until && moment(Date.parse(s.next_update || ""), now))}
      ${fact("Says", s.status)}
      ${fact("Revoked", s.revoked_at && moment(Date.parse(s.revoked_at), now) + (s.revocation_reason ? ": " + s.revocation_reason : ""))}
      ${fact("Fails", why(s) && why(s) + (s.since ? ", since " + moment(Date.parse(s.since), now) : ""))}
      ${fact("HAProxy can't staple it", s.unstaplable.join(", "))}
      ${fact("Names", s.names.join(" "))}
      ${fact("Responder", s.responder)}
      ${fact("Serial", s.serial)}
      ${fact("Id", s.id)}
    </dl>
    <${Measured} of=${canary} />
    <${Truths} here=${here} error=${notHere} others=${nodes} now=${now} link=${link} />
    <${Verification} of=${told?.verification} />
    <${Behaviour} asking=${asking} error=${noAsking} hosts=${told?.responders} url=${s.responder} now=${now} link=${link} />
    <${History} of=${history} error=${noHistory} now=${now} />
    <h3>Nodes</h3>
    ${error && html`<p class="none">${error}</p>`}
    ${!nodes && !error && html`<p class="none">Asking …</p>`}
    ${nodes && !nodes.length && html`<p class="none">No node says anything of it.</p>`}
    ${nodes?.length > 0 &&
    html`<table><thead><tr><th scope="col">Node</th><th scope="col">State</th><th scope="col">Delivers</th><th scope="col">Troubles</th></tr></thead>
      <tbody>${nodes.slice(0, most).map(
        (n) => html`<tr key=${n.node}><th scope="row">${link(n.node, true)}</th><td><${State} is=${n.state} /></td><td class="delivers">${n.delivers || "nothing"}</td>
          <td>${n.troubles.map(why).join("; ") || "none"}</td></tr>`,
      )}</tbody></table>
      ${nodes.length > most && html`<p class="none">and ${plural(nodes.length - most, "node")} more: see the matrix</p>`}`}
  <//>`;
}

const most = 200; // nodes in the table of one certificate

export function Node({ n, now, close, link }) {
  return html`<${Dialog} title=${n.node} close=${close}>
    <p class="lead"><${State} is=${n.state} /> ${n.state === "ok" ? "nothing is wrong there" : meaning[n.state]}</p>
    <dl>
      ${fact("Seen", n.seen ? moment(Date.parse(n.seen), now) : "never")}
      ${fact("Started", n.started && moment(Date.parse(n.started), now))}
      ${fact("Certificates", `${n.certificates}, of them ${n.stapled} stapled`)}
      ${fact("Delivers", `${n.current} as shown here or newer, ${n.older} older` + (n.applied_cut ? "; it has more than it lists" : ""))}
      ${fact("Roles", n.roles.join(", "))}
      ${fact("Version", n.version)}
      ${fact("Page", n.page && link(n.node))}
    </dl>
    ${n.trouble_count > 0 &&
    html`<h3>${plural(n.trouble_count, "trouble")}</h3>
      <ul>${n.troubles.map((t) => html`<li>${troubleText(t)}${t.since ? ", since " + moment(Date.parse(t.since), now) : ""}</li>`)}
      ${n.trouble_count > n.troubles.length && html`<li>and ${n.trouble_count - n.troubles.length} more</li>`}</ul>`}
  <//>`;
}
