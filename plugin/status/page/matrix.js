// Which node says that it delivers which certificate's response. Only the cells
// in sight are in the document.
import { html, useCallback, useMemo } from "./preact/standalone.module.js";
import { Rows } from "./rows.js";
import { State } from "./words.js";

const cell = 30; // px, as in the style sheet
const stride = 8; // columns
const sign = { 1: "✓", 2: "↓", 0: "·", t: "!" };
const kind = { 1: "ok", 2: "older", 0: "unsaid", t: "trouble" };
const text = { 1: "delivers it", 2: "delivers an older one", 0: "says nothing of it", t: "is in trouble with it" };

export function Matrix({ items, matrix, open, narrow, none }) {
  const { column, digits, troubled } = useMemo(() => {
    const column = new Map(matrix.certificates.map((id, i) => [id, i]));
    const troubled = matrix.nodes.map((n) => new Set(n.troubles.map((t) => t.id)));
    return { column, digits: matrix.certificates[0]?.length || 0, troubled };
  }, [matrix]);
  const nodes = matrix.nodes;
  const names = narrow ? 150 : 300;
  // Some columns at a time, so that scrolling seldom draws all rows anew.
  const from = (view) => Math.max(0, Math.floor(view.left / cell / stride) * stride);
  const to = (view) => Math.min(nodes.length, Math.ceil((view.left + view.width) / cell / stride) * stride);
  const sight = (view) => {
    const list = [];
    for (let i = from(view); i < to(view); i++) list.push(i);
    return list;
  };
  const says = (s, i) => (troubled[i].has(s.id) ? "t" : nodes[i].applied[column.get(s.id.slice(0, digits))] || "0");
  const at = (i) => ({ left: names + i * cell + "px" });
  const head = (view) => html`<span role="columnheader" class="m-label" style=${{ width: names + "px" }}>Certificate</span>
    ${sight(view).map((i) => html`<span role="columnheader" class="m-node" key=${i} aria-colindex=${i + 2} style=${at(i)}><span>${nodes[i].node}</span></span>`)}`;
  // It stays the same while time alone goes on.
  const row = useCallback((s, view) => html`<span role="rowheader" class="m-label" style=${{ width: names + "px" }}><${State} is=${s.state} /> <b>${s.label}</b></span>
    ${sight(view).map((i) => {
      const is = says(s, i);
      const words = nodes[i].node + " " + text[is];
      return html`<span role="gridcell" class=${"m-cell " + kind[is]} key=${i} aria-colindex=${i + 2} style=${at(i)}
        aria-label=${words} title=${words}>${sign[is]}</span>`;
    })}`, [matrix, names]);
  return html`<p class="legend"><span class="m-cell ok">✓</span> delivers what is shown or newer <span class="m-cell older">↓</span> an older response
      <span class="m-cell trouble">!</span> in trouble <span class="m-cell unsaid">·</span> says nothing</p>
    <${Rows} key="matrix" label="Nodes by certificates" items=${items} name=${(s) => s.id} head=${head} row=${row} open=${open} none=${none} sight=${(view) => from(view) + "-" + to(view)}
      width=${names + nodes.length * cell + 8 + "px"} />`;
}
