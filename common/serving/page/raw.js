// An answer of JSON, set to be read.

import { count } from "./text.js";

const MAX_LENGTH = 100_000;

export function formatAnswer(text) {
  const shown = indent(text);
  if (shown.length <= MAX_LENGTH) return shown;
  const rest = count(shown.length - MAX_LENGTH, "character");
  return `${shown.slice(0, MAX_LENGTH)}\n… ${rest} more`;
}

function indent(text) {
  let value;
  try {
    value = JSON.parse(text);
  } catch {
    return text; // With NaN in it.
  }
  return indentJson(value);
}

// With the innermost lists on one line. Texts have no line ends in JSON.
export function indentJson(value) {
  return JSON.stringify(value, null, 2).replace(
    /\[\n\s*([^[\]{}]*?)\n\s*\]/g,
    (_, inner) => `[${inner.replace(/\n\s*/g, " ")}]`,
  );
}
