// Small pieces of text that several parts show.
import { html } from "./preact/standalone.module.js";
import { meaning } from "./model.js";

const sign = { revoked: "✕", ended: "✕", missing: "?", failing: "!", ending: "◔", unstaplable: "~", canary: "◇", ok: "✓", stale: "…", clock: "◷", trouble: "!" };

const verdicts = {
  ok: ["✓", "ok"], warning: ["!", "failing"], refused: ["✕", "revoked"], "not reached": ["–", "quiet"],
  good: ["✓", "ok"], revoked: ["✕", "revoked"], unknown: ["?", "failing"], none: ["–", "failing"],
  answers: ["✓", "ok"], fails: ["!", "failing"],
  unserved: ["?", "failing"], error: ["!", "revoked"],
};

// Verdict is the word for one check, or for one place.
export function Verdict({ is }) {
  const [mark, kind] = verdicts[is] || ["?", ""];
  return html`<span class=${"state " + kind}><i aria-hidden="true">${mark}</i> ${is}</span>`;
}

// State is never told by colour alone.
export function State({ is }) {
  return html`<span class=${"state " + (meaning[is] ? is : "")} title=${is === "ok" ? "" : meaning[is] || ""}><i aria-hidden="true">${sign[is] || "?"}</i> ${is}</span>`;
}
