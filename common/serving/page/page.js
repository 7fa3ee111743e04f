// The page: models, one question at a time, its answer.

import { isolate, make, newId } from "./dom.js";
import { chooseSignature, listExtras, makeInput } from "./kinds.js";
import { Problem, asSentence } from "./problem.js";
import { formatAnswer } from "./raw.js";
import { fetchModels, predict, setToken } from "./server.js";
import { showShell } from "./shell.js";
import { showOutputs } from "./show.js";
import { formatDuration } from "./text.js";

const POLL = 2000; // Milliseconds between two looks for models.
const MAX_RECENT = 8;

const part = (id) => document.getElementById(id);
const recent = []; // In memory alone: { model, question }.
let models = [];
let model = null;
let input = null;
let running = new AbortController();

// What is told

function tell(message) {
  const isError = message instanceof Error;
  if (isError && !(message instanceof Problem)) console.error(message);
  part("error").textContent = isError ? asSentence(message.message) : "";
  part("status").textContent = isError ? "" : message;
}

// Models

async function loadModels() {
  try {
    const answer = await withToken(fetchModels);
    models = answer.models ?? [];
    showWaiting(answer.waiting ?? []);
  } catch (error) {
    tell(error);
    setTimeout(loadModels, POLL);
    return;
  }
  listModels();
  if (models.length) chooseModel();
  else tell("No model answers yet.");
}

function showWaiting(waiting) {
  part("waiting").hidden = !waiting.length;
  part("waiting").textContent = waiting
    .map(({ name, error }) =>
      error
        ? `${name} cannot be loaded: ${error}.`
        : `${name} is being loaded.`,
    )
    .join(" ");
  const isLoading = waiting.some(({ error }) => !error);
  if (isLoading || !(models.length || waiting.length))
    setTimeout(loadModels, POLL);
}

function listModels() {
  const shown = JSON.stringify(
    models.map(({ name, version }) => [name, version]),
  );
  if (part("models").dataset.shown === shown) return; // It keeps the focus.
  part("models").dataset.shown = shown;
  const links = models.map(({ name, version }) => {
    const href = `#${encodeURIComponent(name)}`;
    const number = make("span", { className: "hint" }, `version ${version}`);
    return make("li", {}, make("a", { href }, isolate(name), " ", number));
  });
  part("models").replaceChildren(make("ul", {}, ...links));
}

// The choice is kept in the address, for bookmarks and the way back.
function chooseModel() {
  const name = readHash();
  const chosen = models.find((one) => one.name === name) ?? models[0];
  for (const [i, link] of part("models").querySelectorAll("a").entries()) {
    if (models[i] === chosen) link.setAttribute("aria-current", "page");
    else link.removeAttribute("aria-current");
  }
  const isKept =
    model?.name === chosen?.name && model?.version === chosen?.version;
  if (!chosen || isKept) return;
  model = chosen;
  showModel();
}

function readHash() {
  try {
    return decodeURIComponent(location.hash.slice(1));
  } catch {
    return ""; // A percent sign of somebody else.
  }
}

function showModel() {
  running.abort();
  document.title = `${model.name} – Try the models`;
  part("model-name").replaceChildren(isolate(model.name));
  const asked = model.signatures[chooseSignature(model)];
  const list = (tensors) => Object.keys(tensors ?? {}).join(", ");
  part("model-facts").textContent =
    `Takes ${list(asked?.inputs)}; answers ${list(asked?.outputs)}.`;
  input = makeInput(model, ask, tell);
  part("input").replaceChildren(input.element);
  showQuestions("examples", "Examples", input.examples);
  showRecent();
  part("question").hidden = false;
  part("answer").hidden = true;
  part("card").hidden = !model.card;
  part("card-text").textContent = model.card ?? "";
  part("raw").closest("details").open = false;
  tell("Choose an example, or ask your own.");
}

// Questions to click

function showRecent() {
  const mine = recent.filter((one) => one.model === model.name);
  showQuestions(
    "recent",
    "Asked before",
    mine.map((one) => one.question),
  );
}

function showQuestions(id, title, questions) {
  const buttons = questions.map((question) => {
    const button = make("button", { type: "button", className: "chip" });
    if (question.picture) {
      button.append(make("img", { src: question.picture, alt: "" }), " ");
    }
    button.append(isolate(question.title));
    button.addEventListener("click", () => {
      input.show(question);
      ask();
    });
    return make("li", {}, button);
  });
  const heading = make("h3", { id: newId() }, title);
  const list = make("ul", { className: "chips" }, ...buttons);
  list.setAttribute("aria-labelledby", heading.id);
  part(id).replaceChildren(...(buttons.length ? [heading, list] : []));
}

function remember(question) {
  const isSame = (one) =>
    one.model === model.name && one.question.title === question.title;
  const before = recent.findIndex(isSame);
  if (before >= 0) recent.splice(before, 1);
  recent.unshift({ model: model.name, question });
  recent.length = Math.min(recent.length, MAX_RECENT);
  showRecent();
}

// A question and its answer

async function ask() {
  running.abort(); // The last question alone is answered.
  running = new AbortController();
  const { signal } = running;
  part("question").setAttribute("aria-busy", "true");
  part("answer").classList.add("old");
  try {
    tell("Asking …");
    const question = await input.read();
    signal.throwIfAborted();
    await answer(question, signal);
  } catch (error) {
    if (signal.aborted) return;
    part("answer").hidden = true;
    tell(error);
  } finally {
    if (!signal.aborted) part("question").removeAttribute("aria-busy");
  }
}

async function answer(question, signal) {
  const asked = model;
  const name = question.signature ?? chooseSignature(asked);
  const body = makeBody(question, name);
  const first = await withToken(() =>
    predict(asked.name, asked.signatures[name], body, signal),
  );
  const took = `Answered in ${formatDuration(first.milliseconds)}.`;
  const { summary } = showAnswer(question, first.outputs);
  tell("");
  // Who sees the answer need not read it twice.
  const spoken = make("span", { className: "unseen" }, `${summary} `);
  part("status").replaceChildren(spoken, took);
  // Below the question, where the window is narrow.
  part("status").scrollIntoView({ block: "nearest" });
  part("raw").textContent = formatAnswer(first.text);
  showShell(part("shell"), asked.name, body);
  remember(question);
  await explain(asked, name, question, first.outputs, signal);
}

// Signatures that say more are asked afterwards: the answer does not wait.
async function explain(asked, name, question, outputs, signal) {
  let all = outputs;
  for (const extra of listExtras(asked, name)) {
    const says = Object.keys(asked.signatures[extra].outputs);
    if (says.every((output) => output in all)) continue;
    const body = makeBody(question, extra);
    const more = await withToken(() =>
      predict(asked.name, asked.signatures[extra], body, signal),
    ).catch((error) => {
      if (signal.aborted) throw error;
      const text = `The signature ${extra} gave no answer. ${error.message}`;
      part("results").append(make("p", { className: "hint" }, text));
      return null;
    });
    if (!more) continue;
    // What the answer said first stands.
    all = { ...more.outputs, ...all };
    showAnswer(question, all);
  }
}

function makeBody({ inputs }, signature) {
  const name =
    signature === "serving_default" ? {} : { signature_name: signature };
  return JSON.stringify({ ...name, inputs });
}

function showAnswer(question, outputs) {
  const shown = showOutputs(model, question, outputs);
  part("results").replaceChildren(...shown.parts);
  const raw = part("raw").closest("details");
  if (!shown.parts.length) raw.open = true;
  part("answer").hidden = false;
  part("answer").classList.remove("old");
  return shown;
}

// The token

async function withToken(send) {
  for (;;) {
    try {
      return await send();
    } catch (error) {
      if (error.status !== 401) throw error;
      tell(error);
      await askForToken();
      tell("Asking …");
    }
  }
}

function askForToken() {
  const form = part("token-form");
  form.hidden = false;
  part("token").focus();
  return new Promise((resolve) => {
    const take = (event) => {
      event.preventDefault();
      setToken(part("token").value.trim());
      part("token").value = "";
      form.hidden = true;
      resolve();
    };
    form.addEventListener("submit", take, { once: true });
  });
}

part("ask-form").addEventListener("submit", (event) => {
  event.preventDefault();
  ask();
});
window.addEventListener("hashchange", chooseModel);
// A file beside the place for it would replace the page.
for (const name of ["dragover", "drop"]) {
  window.addEventListener(name, (event) => event.preventDefault());
}
loadModels();
