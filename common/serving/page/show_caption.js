// A caption, the picture, and where each word looked.

import { isolate, make, makeTable, makeDetails, newId } from "./dom.js";
import { asSentence } from "./problem.js";
import { largest } from "./shade.js";
import { formatScore, formatShare } from "./text.js";

export function showCaption(model, question, row) {
  const { caption, score, words, weights } = row;
  if (typeof caption !== "string") return null;
  const parts = [make("p", { className: "verdict" }, isolate(caption))];
  if (score !== undefined) {
    const text = `Score ${formatScore(score)}; the nearer to 0, the likelier.`;
    parts.push(make("p", { className: "hint" }, text));
  }
  const looks = Array.isArray(words) ? pairWords(words, weights) : [];
  if (question.picture) parts.push(makePicture(question, caption, looks));
  return { parts, summary: asSentence(caption) };
}

const pairWords = (words, weights) =>
  words
    .map((word, i) => ({ word, grid: weights?.[i] }))
    .filter(({ word, grid }) => word !== "" && Array.isArray(grid?.[0]));

function makePicture(question, caption, looks) {
  const image = make("img", { src: question.picture, alt: caption });
  const stage = make("div", { className: "stage" }, image);
  if (!looks.length) return stage;
  const overlay = make("canvas", { className: "overlay", ariaHidden: "true" });
  stage.append(overlay);
  const place = make("p", { className: "hint", ariaLive: "polite" });
  const choose = (look) => {
    drawOverlay(overlay, look?.grid);
    place.textContent = look
      ? `“${look.word}” looked ${describePlace(look.grid)}.`
      : "Choose a word to see where it looked.";
  };
  choose(null);
  const rows = looks.map(({ word, grid }) => [
    isolate(word),
    describePlace(grid),
  ]);
  const table = makeTable("Where each word looked", ["Word", "Place"], rows);
  return make(
    "div",
    {},
    make("h3", {}, "Where each word looked"),
    makeChoice(looks, choose),
    stage,
    place,
    makeDetails("As a table", table),
  );
}

// Radio buttons: the arrow keys go from word to word.
function makeChoice(looks, choose) {
  const group = newId();
  const options = [{ word: "none", look: null, isPlain: true }].concat(
    looks.map((look) => ({ word: look.word, look })),
  );
  const choices = options.map(({ word, look, isPlain }, i) => {
    const id = `${group}-${i}`;
    const input = make("input", { id, type: "radio", name: group });
    input.className = "unseen";
    input.checked = i === 0;
    input.addEventListener("change", () => choose(look));
    const label = make("label", { htmlFor: id, className: "chip" });
    label.append(isPlain ? "whole picture" : isolate(word));
    return make("span", {}, input, label);
  });
  const legend = make("legend", { className: "unseen" }, "Word");
  return make("fieldset", { className: "chips" }, legend, ...choices);
}

// Darkens what a word did not look at.
function drawOverlay(canvas, grid) {
  canvas.hidden = !grid;
  if (!grid) return;
  const [rows, columns] = [grid.length, grid[0].length];
  Object.assign(canvas, { width: columns, height: rows });
  const pixels = new ImageData(columns, rows);
  const flat = grid.flat();
  const most = largest(flat) || 1;
  flat.forEach((weight, i) => {
    pixels.data[i * 4 + 3] = Math.round(215 * (1 - (weight ?? 0) / most));
  });
  canvas.getContext("2d").putImageData(pixels, 0, 0);
}

function describePlace(grid) {
  const flat = grid.flat();
  const most = largest(flat);
  const columns = grid[0].length;
  const index = flat.indexOf(most);
  const [y, x] = [Math.floor(index / columns), index % columns];
  const vertical = nameThird(y, grid.length, ["top", "", "bottom"]);
  const horizontal = nameThird(x, columns, ["left", "", "right"]);
  const corner = [vertical, horizontal].filter(Boolean).join(" ");
  const place = corner ? `at the ${corner}` : "in the middle";
  return `most ${place} (${formatShare(most)})`;
}

const nameThird = (index, size, names) =>
  names[Math.min(2, Math.floor((index * 3) / size))];
