// When each response was made, is refreshed and ends, on one axis.
import { html, useMemo } from "./preact/standalone.module.js";
import { Rows } from "./rows.js";
import { State } from "./words.js";
import { ago, left, plural, span, why } from "./model.js";

const minute = 60_000;
const hour = 60 * minute;
const day = 24 * hour;

export const windows = { "what there is": 0, "1 hour": hour, "6 hours": 6 * hour, "1 day": day, "7 days": 7 * day, "30 days": 30 * day };

const steps = [1, 5, 15, 30, 60, 180, 360, 720, 1440, 2880, 5760, 10080, 20160, 43200, 129600, 525600].map((m) => m * minute);

// axis is the time that is drawn: as chosen, around now, or from the first made
// to the last end, less the hundredth that lies farthest out on each side, and
// whatever lies further away than twenty usual lives.
export function axis(extent, now, around) {
  let from = now - around / 2;
  let to = now + around / 2;
  if (!around) {
    const { first, last, life } = extent;
    from = Math.min(Math.max(first, now - 20 * life), now - minute);
    to = Math.max(Math.min(last, now + 20 * life), now + minute);
    const air = (to - from) * 0.02;
    from -= air;
    to += air;
  }
  const at = (t) => ((t - from) / (to - from)) * 100;
  const step = steps.find((s) => (to - from) / s <= 7) || (to - from) / 5;
  const ticks = [];
  for (let k = Math.ceil((from - now) / step); now + k * step <= to; k++) {
    ticks.push({ at: at(now + k * step), text: k === 0 ? "now" : (k > 0 ? "+" : "") + span(k * step) });
  }
  return { from, to, at, ticks, now };
}

// extentOf is what an axis needs to know of the items.
export function extentOf(items) {
  const dated = items.filter((s) => s.end);
  if (!dated.length) return { first: -Infinity, last: Infinity, life: hour };
  const made = Float64Array.from(dated, (s) => s.made).sort();
  const ends = Float64Array.from(dated, (s) => s.end).sort();
  const lives = Float64Array.from(dated, (s) => s.end - s.made).sort();
  const cut = Math.floor(made.length / 100);
  return { first: made[cut], last: ends[ends.length - 1 - cut], life: Math.max(minute, lives[lives.length >> 1]) };
}

const bins = 60;

// crowd counts how many were made and how many end in each part of the axis.
export function crowd(items, { from, to }) {
  const made = new Array(bins).fill(0);
  const ends = new Array(bins).fill(0);
  const bin = (t) => Math.floor(((t - from) / (to - from)) * bins);
  for (const s of items) {
    if (!s.end) continue;
    if (bin(s.made) in made) made[bin(s.made)]++;
    if (bin(s.end) in ends) ends[bin(s.end)]++;
  }
  return { made, ends, most: Math.max(1, ...made, ...ends) };
}

const percent = (n) => n + "%";
const bound = (n) => Math.max(0, Math.min(100, n));

// Bar is the life of a response: made, half of it, its end.
export function Bar({ s, axis }) {
  if (!s.end) return html`<div class="track"><i class="now" style=${{ left: percent(axis.at(axis.now)) }}></i></div>`;
  const a = bound(axis.at(s.made));
  const b = bound(axis.at(s.end));
  const half = axis.at((s.made + s.end) / 2);
  return html`<div class="track">
    <i class=${"bar " + s.state} style=${{ left: percent(a), width: percent(Math.max(0, b - a)) }}></i>
    ${half > 0 && half < 100 && html`<i class="half" style=${{ left: percent(half) }}></i>`}
    <i class="now" style=${{ left: percent(axis.at(axis.now)) }}></i>
    <span class="aside">made ${ago(s.made, axis.now)}, half of its life ${ago((s.made + s.end) / 2, axis.now)}, ends ${ago(s.end, axis.now)}</span>
  </div>`;
}

function Crowd({ crowd, axis }) {
  const { made, ends, most } = crowd;
  const bar = (n, i, kind, width, dx) =>
    n > 0 && html`<rect class=${kind} x=${i + dx} width=${width} y=${40 - (n / most) * 38} height=${(n / most) * 38} />`;
  return html`<div class="crowd">
    <svg viewBox="0 0 ${bins} 40" preserveAspectRatio="none" aria-hidden="true">
      ${made.map((n, i) => bar(n, i, "made", 0.42, 0.05))}${ends.map((n, i) => bar(n, i, "ends", 0.42, 0.5))}
    </svg>
    <i class="now" style=${{ left: percent(axis.at(axis.now)) }}></i>
    ${axis.ticks.map((t) => html`<b class="tick" style=${{ left: `clamp(1.2em, ${t.at}%, 100% - 1.2em)` }}>${t.text}</b>`)}
  </div>`;
}

export function Timeline({ items, now, around, open, single, none }) {
  const extent = useMemo(() => extentOf(items), [items]);
  const line = axis(extent, now, around);
  // Scrolling draws the rows alone.
  const above = html`<${Crowd} crowd=${crowd(items, line)} axis=${line} />`;
  const head = () => html`
    <span role="columnheader" class="c-state">State</span>
    <span role="columnheader" class="c-label">Certificate</span>
    <span role="columnheader" class="c-left">Left</span>
    <span role="columnheader" class="c-nodes">Nodes</span>
    <span role="columnheader" class="c-track"><span class="aside">From made to end; ${plural(items.length, "certificate")}</span>
      ${above}</span>`;
  const row = (s) => html`
    <span role="gridcell" class="c-state"><${State} is=${s.state} /></span>
    <span role="gridcell" class="c-label"><b>${s.label}</b>${s.must_staple && html`<em class="must">must-staple</em>`}
      <small>${why(s) || s.names.join(" ")}</small></span>
    <span role="gridcell" class="c-left">${left(s, now)}</span>
    <span role="gridcell" class="c-nodes">${single ? "" : s.nodes_older ? s.nodes_current + "/" + (s.nodes_current + s.nodes_older) : s.nodes_current}</span>
    <span role="gridcell" class="c-track"><${Bar} s=${s} axis=${line} /></span>`;
  return html`<${Rows} key="timeline" label="Certificates, by urgency" items=${items} name=${(s) => s.id} head=${head} row=${row} open=${open} none=${none} />`;
}
