// Small pieces of text that several parts show.
import { html } from "./preact/standalone.module.js";
import { meaning } from "./model.js";

const sign = { revoked: "✕", ended: "✕", missing: "?", failing: "!", ending: "◔", unstaplable: "~", ok: "✓", stale: "…", clock: "◷", trouble: "!" };

// State is never told by colour alone.
export function State({ is }) {
  return html`<span class=${"state " + (meaning[is] ? is : "")} title=${meaning[is] || ""}><i aria-hidden="true">${sign[is] || "?"}</i> ${is}</span>`;
}
