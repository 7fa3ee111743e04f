// Asks the server. All addresses are relative, so that the page works behind
// a prefix as well.

import { Problem, describeStatus } from "./problem.js";

const TOKEN = "serving-token";
let token = readToken();

function readToken() {
  try {
    return sessionStorage.getItem(TOKEN) ?? "";
  } catch {
    return ""; // Storage may be forbidden.
  }
}

export function setToken(text) {
  token = text;
  try {
    sessionStorage.setItem(TOKEN, text);
  } catch {
    // Then it lasts as long as the page.
  }
}

export const hasToken = () => token !== "";

export const fetchModels = async () => (await send("page/models", {})).value;

export const predictAddress = (name) =>
  `v1/models/${encodeURIComponent(name)}:predict`;

// Asks with a body of JSON; returns the outputs by name, and how long it took.
export async function predict(name, signature, body, signal) {
  const start = performance.now();
  const options = { method: "POST", body, signal };
  const { value, text } = await send(predictAddress(name), options);
  const milliseconds = performance.now() - start;
  return { outputs: nameOutputs(value, signature), text, milliseconds };
}

// A single output comes without its name.
function nameOutputs(value, signature) {
  const names = Object.keys(signature.outputs);
  const outputs = value?.outputs;
  if (outputs === undefined) throw new Problem("The answer has no outputs.");
  return names.length === 1 ? { [names[0]]: outputs } : outputs;
}

async function send(address, options) {
  const headers = token ? { Authorization: `Bearer ${token}` } : {};
  let response;
  let text;
  try {
    response = await fetch(address, { ...options, headers });
    text = await response.text();
  } catch (error) {
    if (error.name === "AbortError") throw error;
    // A header holds neither controls nor most scripts.
    const isToken = token && !/^[\x21-\x7e\xa1-\xff ]*$/.test(token);
    if (isToken) throw new Problem(describeStatus(401), 401);
    throw new Problem("The server cannot be reached: is it still running?");
  }
  const value = parseJson(text);
  if (response.ok && value !== undefined) return { value, text };
  if (response.ok) throw new Problem("The server's answer is no JSON.");
  const reason = typeof value?.error === "string" ? value.error : "";
  throw new Problem(describeStatus(response.status, reason), response.status);
}

// Returns undefined for what is no JSON.
export function parseJson(text) {
  for (const variant of [() => text, () => mendNumbers(text)]) {
    try {
      return JSON.parse(variant());
    } catch {
      // The next one.
    }
  }
  return undefined;
}

// TensorFlow Serving writes NaN and Infinity, which JSON lacks. Texts between
// quotes stay as they are.
function mendNumbers(text) {
  const replacements = {
    NaN: "null",
    Infinity: "1e999",
    "-Infinity": "-1e999",
  };
  return text.replace(
    /"(?:[^"\\]|\\.)*"|-?Infinity|NaN/g,
    (part) => replacements[part] ?? part,
  );
}
