// A place to drop files on, which is a button to choose them as well.

import { make, newId } from "./dom.js";

export function makeDrop({ title, hint, accept, multiple = false }, take) {
  const id = newId();
  const input = make("input", { id, type: "file", accept, multiple });
  input.className = "unseen";
  input.setAttribute("aria-describedby", `${id}-hint`);
  const chosen = make("span", { className: "chosen" });
  const label = make(
    "label",
    { htmlFor: id, className: "drop" },
    make("strong", {}, title),
    make("span", { id: `${id}-hint`, className: "hint" }, hint),
    chosen,
  );
  input.addEventListener("change", () => {
    if (input.files.length) take([...input.files]);
    input.value = ""; // The same file can be chosen again.
  });
  const mark = (isOver) => label.classList.toggle("over", isOver);
  label.addEventListener("dragover", (event) => {
    event.preventDefault();
    mark(true);
  });
  label.addEventListener("dragleave", () => mark(false));
  label.addEventListener("drop", (event) => {
    event.preventDefault();
    mark(false);
    const files = [...event.dataTransfer.files];
    if (files.length) take(multiple ? files : files.slice(0, 1));
  });
  return {
    // The input stands before its label, which shows the focus.
    element: make("div", { className: "drop-area" }, input, label),
    name: (text) => (chosen.textContent = text),
    focus: () => input.focus(),
  };
}
