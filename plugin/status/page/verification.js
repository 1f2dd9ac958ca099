// Every check of a response, as the agent that shows this page makes it now.
import { html } from "./preact/standalone.module.js";
import { Verdict } from "./words.js";
import { plural } from "./model.js";

const lead = (v) => {
  const count = (result) => v.steps.filter((s) => s.result === result).length;
  const bad = count("refused") ? "refuses it" : count("warning") ? "accepts it, with " + plural(count("warning"), "warning") : "accepts it";
  return `${v.node} judged the response that it has, ${plural(v.size, "byte")} with SHA-256 ${v.sha256.slice(0, 12)}…, and ${bad}.`;
};

export function Verification({ of }) {
  if (!of) return null;
  return html`<h3>Verification</h3>
    ${of.error ? html`<p class="none">${of.node}: ${of.error}</p>` : html`<p class="none">${lead(of)}</p>`}
    ${of.steps.length > 0 &&
    html`<table><thead><tr><th scope="col">Check</th><th scope="col">Result</th><th scope="col">Found</th></tr></thead>
      <tbody>${of.steps.map(
        (s) => html`<tr key=${s.name}><th scope="row">${s.name}</th><td><${Verdict} is=${s.result} /></td><td>${s.detail || "nothing"}</td></tr>`,
      )}</tbody></table>`}`;
}
