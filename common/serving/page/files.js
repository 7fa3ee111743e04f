// Files and bytes.

import { Problem } from "./problem.js";

// A request holds 64 MiB; base64 takes a third more than the bytes.
const MAX_BYTES = 45 * 2 ** 20;

export async function readBytes(file) {
  if (file.size > MAX_BYTES) {
    const size = Math.ceil(file.size / 2 ** 20);
    throw new Problem(`${file.name} is too large: ${size} MB, of at most 45.`);
  }
  try {
    return new Uint8Array(await file.arrayBuffer());
  } catch {
    throw new Problem(`${file.name} cannot be read.`);
  }
}

export function toBase64(bytes) {
  const parts = [];
  // More arguments at one time are too many.
  for (let i = 0; i < bytes.length; i += 32_768) {
    parts.push(String.fromCharCode(...bytes.subarray(i, i + 32_768)));
  }
  return btoa(parts.join(""));
}

export function fromBase64(text) {
  const padded = text.replaceAll("-", "+").replaceAll("_", "/");
  return Uint8Array.from(atob(padded), (character) => character.charCodeAt(0));
}

// Decodes a picture upright, as the browser shows it.
export async function decodePicture(blob, name) {
  try {
    return await createImageBitmap(blob);
  } catch {
    throw new Problem(`${name} is no picture that this browser can read.`);
  }
}
