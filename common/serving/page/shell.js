// The `curl` line of a request.

import { make } from "./dom.js";
import { hasToken, predictAddress } from "./server.js";

// A longer body is saved to a file, which curl reads.
const MAX_BODY = 300;
const FILE = "request.json";

const quote = (text) => `'${text.replaceAll("'", `'\\''`)}'`;

export function formatCurl(name, body) {
  const address = new URL(predictAddress(name), document.baseURI).href;
  const data = body.length > MAX_BODY ? `@${FILE}` : quote(body);
  // The token itself stays out of what is copied.
  const header = hasToken() ? ' -H "Authorization: Bearer $SERVING_TOKEN"' : "";
  return `curl -d ${data}${header} ${quote(address)}`;
}

export function showShell(container, name, body) {
  const line = formatCurl(name, body);
  const copy = make("button", { type: "button", className: "quiet" }, "Copy");
  copy.addEventListener("click", () => copyText(line, copy));
  const parts = [make("pre", { tabIndex: 0 }, make("code", {}, line)), copy];
  if (body.length > MAX_BODY) parts.push(" ", makeDownload(body));
  container.replaceChildren(...parts);
}

// The file is made when it is asked for: it may have millions of bytes.
function makeDownload(body) {
  const text = `Save ${FILE}`;
  const button = make("button", { type: "button", className: "quiet" }, text);
  button.addEventListener("click", () => {
    const href = URL.createObjectURL(new Blob([body]));
    make("a", { href, download: FILE }).click();
    setTimeout(() => URL.revokeObjectURL(href), 10_000);
  });
  return button;
}

async function copyText(text, button) {
  try {
    await navigator.clipboard.writeText(text);
    button.textContent = "Copied";
  } catch {
    // No clipboard without HTTPS, but on the same machine.
    button.textContent = "Select the line and copy it";
  }
  setTimeout(() => (button.textContent = "Copy"), 2000);
}
