// A grid of which only the rows in sight are in the document, however many
// there are. It is one stop for Tab; arrows, Page, Home and End walk, Enter opens.
import { Component, html, useLayoutEffect, useRef, useState } from "./preact/standalone.module.js";

const beyond = 6; // rows kept ready above and below

// Line is one row. While others come and go by scrolling it stays as it is drawn.
class Line extends Component {
  shouldComponentUpdate(next) {
    return Object.keys(next).some((key) => key !== "view" && key !== "press" && next[key] !== this.props[key]);
  }

  render({ i, item, active, top, row, view, press }) {
    return html`<div role="row" id=${"row" + i} class=${active ? "row active" : "row"} aria-rowindex=${i + 2} style=${{ top }}
      onClick=${() => press(item)}>${row(item, view)}</div>`;
  }
}

// sight tells of a view what row draws otherwise for; without it nothing is. none
// says why there are no items.
export function Rows({ items, label, name, head, row, open, width, sight, none }) {
  const box = useRef();
  const [view, setView] = useState({ top: 0, left: 0, height: 600, width: 800, row: 36, head: 0 });
  const [active, setActive] = useState("");

  useLayoutEffect(() => {
    const measure = () => {
      const el = box.current;
      const size = parseFloat(getComputedStyle(el).getPropertyValue("--row")) || 36;
      setView({
        top: el.scrollTop, left: el.scrollLeft, height: el.clientHeight, width: el.clientWidth,
        row: size, head: el.firstElementChild.offsetHeight,
      });
    };
    let asked = 0;
    const soon = () => (asked ||= requestAnimationFrame(() => ((asked = 0), measure())));
    measure();
    const watch = new ResizeObserver(soon);
    watch.observe(box.current);
    box.current.addEventListener("scroll", soon, { passive: true });
    return () => (watch.disconnect(), cancelAnimationFrame(asked));
  }, []);

  const place = items.findIndex((item) => name(item) === active);
  const current = place < 0 ? 0 : place;
  const page = Math.max(1, Math.floor((view.height - view.head) / view.row) - 1);

  const walk = (event) => {
    const to = {
      ArrowDown: current + 1, ArrowUp: current - 1, PageDown: current + page, PageUp: current - page,
      Home: 0, End: items.length - 1,
    }[event.key];
    if (to !== undefined) {
      const i = Math.max(0, Math.min(items.length - 1, to));
      setActive(name(items[i]));
      const el = box.current;
      const above = i * view.row;
      if (above < el.scrollTop) el.scrollTop = above;
      else if (above + view.row > el.scrollTop + view.height - view.head) el.scrollTop = above + view.row - view.height + view.head;
    } else if ((event.key === "Enter" || event.key === " ") && open && items[current]) {
      open(items[current]);
    } else {
      return;
    }
    event.preventDefault();
  };

  const first = Math.max(0, Math.floor(view.top / view.row) - beyond);
  const slots = Math.ceil(view.height / view.row) + 2 * beyond + 1;
  const last = Math.min(items.length, first + slots);
  const shown = [];
  for (let i = first; i < last; i++) shown.push(i);
  // The active row stays in the document, for those who hear it.
  if (items.length && (current < first || current >= last)) shown.push(current);

  // Rows that leave give their elements to those that come, which stay in their
  // places: to move an element costs more than to change what it says.
  const slot = (i) => (i >= first && i < last ? i % slots : slots);
  shown.sort((a, b) => slot(a) - slot(b));
  const press = (item) => (setActive(name(item)), open && open(item));
  const line = (i) => html`<${Line} key=${slot(i)} i=${i} item=${items[i]} active=${i === current} top=${i * view.row + "px"} row=${row}
    view=${view} press=${press} sight=${sight?.(view)} />`;

  return html`
    <div class=${items.length ? "rows" : "rows empty"} role="grid" aria-label=${label} aria-rowcount=${items.length + 1} tabindex="0"
      aria-activedescendant=${items.length ? "row" + current : undefined} ref=${box} onKeyDown=${walk}>
      <div role="rowgroup" class="head" style=${{ width }}><div role="row" class="headrow" aria-rowindex="1">${head(view)}</div></div>
      ${items.length > 0 &&
      html`<div role="rowgroup" class="body" style=${{ height: items.length * view.row + "px", width }}>${shown.map(line)}</div>`}
    </div>
    ${items.length === 0 && html`<p class="none">${none || "Nothing fits."}</p>`}`;
}
