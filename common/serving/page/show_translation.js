// A translation, the other ones that were near, and its attention.

import { isolate, make, makeScroller, makeTable } from "./dom.js";
import { asSentence } from "./problem.js";
import { largest, shade } from "./shade.js";
import { formatScore, formatShare } from "./text.js";

export function showTranslation(model, question, row) {
  const { translation } = row;
  if (typeof translation !== "string") return null;
  const verdict = make("p", { className: "verdict", dir: "auto" });
  verdict.append(isolate(translation || "(nothing)"));
  const parts = [verdict, makeList(row), makeAttention(row)];
  return { parts: parts.filter(Boolean), summary: asSentence(translation) };
}

function makeList({ translation, score, translations, scores }) {
  const texts = Array.isArray(translations) ? translations : [translation];
  const values = Array.isArray(scores) ? scores : [score];
  const rows = texts.map((text, i) => [
    String(i + 1),
    isolate(text),
    formatScore(values[i]),
  ]);
  const title = rows.length > 1 ? "The best ones" : "Score";
  const hint = "The nearer a score is to 0, the likelier.";
  return make(
    "div",
    {},
    make("h3", {}, title),
    makeTable(title, ["Rank", "Translation", "Score"], rows),
    make("p", { className: "hint" }, hint),
  );
}

function makeAttention({
  source_tokens: source,
  target_tokens: target,
  weights,
}) {
  const isWhole = [source, target, weights].every(Array.isArray);
  if (!isWhole || !Array.isArray(weights[0])) return null;
  const columns = listReal(source);
  const rows = listReal(target);
  const most = largest(weights.flat());
  const makeCell = (i, j) => {
    const weight = weights[i]?.[j];
    const cell = make("td", { title: formatShare(weight) });
    // Whole percents are enough to compare; the title has the rest.
    cell.append(
      typeof weight === "number" ? String(Math.round(weight * 100)) : "",
    );
    return shade(cell, weight, most);
  };
  const head = make(
    "tr",
    {},
    make("td"),
    ...columns.map(makeHeader("col", source)),
  );
  const body = rows.map((i) =>
    make(
      "tr",
      {},
      makeHeader("row", target)(i),
      ...columns.map((j) => makeCell(i, j)),
    ),
  );
  const title = "What each word was written from, in percent";
  const table = make(
    "table",
    { className: "heatmap" },
    make("caption", {}, "Rows: the translation; columns: the text."),
    make("thead", {}, head),
    make("tbody", {}, ...body),
  );
  return make("div", {}, make("h3", {}, title), makeScroller(title, table));
}

// Positions that are no padding.
const listReal = (tokens) => [...tokens.keys()].filter((i) => tokens[i] !== "");

const makeHeader = (scope, tokens) => (i) =>
  make("th", { scope }, isolate(tokens[i]));
