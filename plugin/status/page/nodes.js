// The agents, and what each says is wrong.
import { html } from "./preact/standalone.module.js";
import { Rows } from "./rows.js";
import { State } from "./words.js";
import { ago, plural, why } from "./model.js";

const what = (t) => (t.job && t.name ? t.job + "/" + t.name : t.name || (t.id ? t.id.slice(0, 12) : "agent"));

export const troubleText = (t) => what(t) + ": " + why(t);

export function Nodes({ nodes, now, open }) {
  const head = () => html`
    <span role="columnheader" class="c-state">State</span>
    <span role="columnheader" class="c-label">Node</span>
    <span role="columnheader" class="c-left">Seen</span>
    <span role="columnheader" class="c-nodes">Stapled</span>
    <span role="columnheader" class="c-track">Roles, version</span>`;
  const row = (n) => html`
    <span role="gridcell" class="c-state"><${State} is=${n.state} /></span>
    <span role="gridcell" class="c-label"><b>${n.node}</b>
      <small>${n.trouble_count > 0 ? plural(n.trouble_count, "trouble") + (n.troubles[0] ? "; " + troubleText(n.troubles[0]) : "") : ""}</small></span>
    <span role="gridcell" class="c-left">${n.seen ? ago(Date.parse(n.seen), now) : "never"}</span>
    <span role="gridcell" class="c-nodes">${n.stapled}/${n.certificates}</span>
    <span role="gridcell" class="c-track">${n.roles.join(", ")} <small>${n.version}</small></span>`;
  return html`<${Rows} key="nodes" label="Nodes" items=${nodes} name=${(n) => n.node} head=${head} row=${row} open=${open}
    none="No node has said anything of itself." />`;
}
