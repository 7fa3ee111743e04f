// A label, and the probabilities of all of them as bars.

import { isolate, make, makeDetails, makeTable } from "./dom.js";
import { formatShare } from "./text.js";

const MAX_BARS = 12; // More are unfolded.

export function showLabels(model, question, { label, probabilities }) {
  if (typeof label !== "string") return null;
  const classes = rank(model.labels ?? [], probabilities);
  const best = classes.find(({ name }) => name === label);
  const share = best ? `, ${formatShare(best.share)}` : "";
  const parts = [make("p", { className: "verdict" }, isolate(label))];
  if (classes.length) parts.push(makeBars(classes.slice(0, MAX_BARS), label));
  if (classes.length > MAX_BARS) {
    const rest = classes.slice(MAX_BARS);
    parts.push(makeDetails(`${rest.length} more`, makeBars(rest, label)));
  }
  return { parts, summary: `${label}${share}.` };
}

function rank(names, probabilities) {
  if (!Array.isArray(probabilities)) return [];
  return probabilities
    .map((share, i) => ({ name: names[i] ?? `class ${i}`, share }))
    .sort((a, b) => (b.share ?? -1) - (a.share ?? -1));
}

function makeBars(classes, label) {
  const rows = classes.map(({ name, share }) => {
    const fill = make("div", { className: "fill" });
    fill.style.setProperty("--share", String(share ?? 0));
    const bar = make("div", { className: "bar", ariaHidden: "true" }, fill);
    if (name === label) bar.classList.add("best");
    return [isolate(name), formatShare(share), bar];
  });
  const headers = ["Label", "Probability", ""];
  const scroller = makeTable("Probabilities", headers, rows);
  scroller.classList.add("bars");
  return scroller;
}
