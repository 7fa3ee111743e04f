// The words of a text, shaded by how much each mattered.

import { isolate, make, makeDetails, makeTable } from "./dom.js";
import { largest, shade } from "./shade.js";
import { formatShare } from "./text.js";

export function showWords({ tokens, weights }) {
  if (!Array.isArray(tokens) || !Array.isArray(weights)) return null;
  const words = tokens
    .map((token, i) => ({ token, weight: weights[i] }))
    .filter(({ token }) => token !== ""); // Padding.
  if (!words.length) return null;
  const most = largest(words.map(({ weight }) => weight));
  const text = make("p", { className: "words", dir: "auto" });
  for (const { token, weight } of words) {
    const word = make("span", { title: formatShare(weight) }, isolate(token));
    text.append(shade(word, weight, most), " ");
  }
  const rows = words.map(({ token, weight }) => [
    isolate(token),
    formatShare(weight),
  ]);
  return make(
    "div",
    {},
    make("h3", {}, "The words that mattered"),
    text,
    makeDetails("As a table", makeTable("Weights", ["Word", "Weight"], rows)),
  );
}
