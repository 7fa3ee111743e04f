// Any other model: the `inputs` of a request as JSON, from a template.

import { make, newId } from "./dom.js";
import { Problem } from "./problem.js";
import { indentJson } from "./raw.js";
import { formatShape, shorten } from "./text.js";

const MAX_TEMPLATE = 1000; // Numbers that are still read by people.

export function makeJsonInput(model, submit) {
  const names = Object.keys(model.signatures);
  const id = newId();
  const area = make("textarea", { id, rows: 10, spellcheck: false });
  area.classList.add("code");
  area.addEventListener("keydown", (event) => {
    if (event.key !== "Enter" || !(event.ctrlKey || event.metaKey)) return;
    event.preventDefault();
    submit();
  });
  const hint = make("p", { id: `${id}-hint`, className: "hint" });
  area.setAttribute("aria-describedby", hint.id);
  const select = make("select", { id: `${id}-signature` });
  select.append(...names.map((name) => make("option", { value: name }, name)));
  if (names.includes("serving_default")) select.value = "serving_default";
  const fill = () => {
    const { inputs } = model.signatures[select.value] ?? { inputs: {} };
    area.value = indentJson(makeTemplate(inputs));
    const tensors = Object.entries(inputs).map(
      ([name, { dtype, shape }]) => `${name}: ${dtype} ${formatShape(shape)}`,
    );
    hint.textContent = `${tensors.join("; ")}. Ctrl+Enter asks.`;
  };
  select.addEventListener("change", fill);
  fill();
  const signature = make(
    "div",
    { className: "row" },
    make("label", { htmlFor: select.id }, "Signature"),
    select,
  );
  const label = make("label", { htmlFor: id }, "Inputs, as JSON");
  return {
    element: make(
      "div",
      {},
      names.length > 1 ? signature : "",
      label,
      area,
      hint,
    ),
    read: async () => toQuestion(parse(area), select.value),
    show(question) {
      if (question.signature) select.value = question.signature;
      fill();
      area.value = indentJson(question.inputs);
    },
    examples: listExamples(model),
  };
}

function parse(area) {
  try {
    return JSON.parse(area.value);
  } catch (error) {
    area.focus();
    throw new Problem(`The inputs are no JSON: ${error.message}.`);
  }
}

const toQuestion = (inputs, signature) => ({
  inputs,
  signature,
  title: shorten(JSON.stringify(inputs), 40),
});

// Zeros of the signature's shapes; one of each axis that is open.
function makeTemplate(inputs) {
  const templates = Object.entries(inputs).map(([name, tensor]) => [
    name,
    makeValues(tensor),
  ]);
  return Object.fromEntries(templates);
}

function makeValues({ dtype, shape }) {
  const value = { string: "", bool: false }[dtype] ?? 0;
  const sizes = (shape ?? []).map((size) => size ?? 1);
  const isLong = sizes.reduce((a, b) => a * b, 1) > MAX_TEMPLATE;
  const nest = ([size, ...others]) =>
    size === undefined
      ? value
      : Array.from({ length: size }, () => nest(others));
  return isLong ? [] : nest(sizes);
}

function listExamples(model) {
  const inputs = model.example?.inputs;
  const signature = model.example?.signature_name ?? "serving_default";
  if (inputs === undefined || !(signature in model.signatures)) return [];
  return [{ ...toQuestion(inputs, signature), title: "Example" }];
}
