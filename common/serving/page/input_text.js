// A text; Ctrl+Enter asks.

import { make, newId } from "./dom.js";
import { Problem } from "./problem.js";
import { shorten } from "./text.js";

// Beside the model's own example.
const SENTENCES = {
  label: [
    "A wonderful film, and never dull.",
    "Simply sad and simply slow!",
    "not bad at all",
  ],
  translation: [
    "The small black cats sleep.",
    "Emma will not watch this clock.",
  ],
};

export function makeTextInput(model, submit) {
  const id = newId();
  const area = make("textarea", { id, rows: 4, dir: "auto", spellcheck: true });
  area.setAttribute("aria-describedby", `${id}-hint`);
  area.addEventListener("keydown", (event) => {
    if (event.key !== "Enter" || !(event.ctrlKey || event.metaKey)) return;
    event.preventDefault();
    submit();
  });
  const hint = make("p", { id: `${id}-hint`, className: "hint" });
  hint.textContent = "Ctrl+Enter asks.";
  const label = make("label", { htmlFor: id }, "Text");
  return {
    element: make("div", {}, label, area, hint),
    async read() {
      if (area.value.trim()) return toQuestion(area.value);
      area.focus();
      throw new Problem("Write a text first, or choose an example.");
    },
    show: (question) => (area.value = question.inputs.text[0]),
    examples: listTexts(model).map(toQuestion),
  };
}

const toQuestion = (text) => ({
  inputs: { text: [text] },
  title: shorten(text),
});

function listTexts(model) {
  const texts = [].concat(model.example?.inputs?.text ?? []);
  const outputs = model.signatures.serving_default.outputs;
  for (const [name, sentences] of Object.entries(SENTENCES)) {
    if (name in outputs) texts.push(...sentences);
  }
  return [...new Set(texts.filter((text) => typeof text === "string"))];
}
