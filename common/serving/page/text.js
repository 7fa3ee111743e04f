// Numbers and names as sentences need them.

// NaN comes as null: JSON has none.
export function formatShare(share) {
  if (typeof share !== "number" || Number.isNaN(share)) return "not a number";
  const percent = share * 100;
  // 99.98 and 0.02 say more than 100.0 and 0.0.
  const isExtreme = percent > 99.9 || percent < 0.1;
  return `${percent.toFixed(isExtreme ? 2 : 1)} %`;
}

export function formatScore(score) {
  if (typeof score !== "number") return "not a number";
  return Number.isFinite(score) ? score.toFixed(3) : String(score);
}

export const formatSeconds = (seconds) => `${seconds.toFixed(2)} s`;

export function formatDuration(milliseconds) {
  const digits = milliseconds < 10 ? 1 : 0;
  return milliseconds < 1000
    ? `${milliseconds.toFixed(digits)} ms`
    : formatSeconds(milliseconds / 1000);
}

export function shorten(text, most = 60) {
  const characters = Array.from(text.replace(/\s+/g, " ").trim());
  if (characters.length <= most) return characters.join("");
  return `${characters.slice(0, most - 1).join("")}…`;
}

export const count = (number, noun) =>
  `${number.toLocaleString("en")} ${noun}${number === 1 ? "" : "s"}`;

// Of an axis that a signature leaves open, "any".
export const formatShape = (shape) =>
  shape ? `[${shape.map((size) => size ?? "any").join(", ")}]` : "[...]";
