// A picture file, sent as it is.

import { make } from "./dom.js";
import { makeDrop } from "./drop.js";
import { decodePicture, fromBase64, readBytes, toBase64 } from "./files.js";
import { Problem } from "./problem.js";

// What TensorFlow decodes; the browser turns others into PNG.
const BEGINNINGS = [
  [0xff, 0xd8, 0xff],
  [0x89, 0x50, 0x4e, 0x47],
  [0x47, 0x49, 0x46, 0x38],
  [0x42, 0x4d],
];

export function makePictureInput(model, submit, tell) {
  let question = null;
  const show = (next) => {
    question = next;
    drop.name(next.title);
  };
  const take = async ([file]) => {
    try {
      show(await readQuestion(file));
      submit();
    } catch (error) {
      tell(error);
    }
  };
  const drop = makeDrop(
    {
      title: "Drop a picture here, or choose one",
      hint: "JPEG, PNG or another format of this browser",
      accept: "image/*",
    },
    take,
  );
  return {
    element: make("div", {}, drop.element),
    async read() {
      if (question) return question;
      drop.focus();
      throw new Problem("Choose a picture first, or an example.");
    },
    show,
    examples: listExamples(model),
  };
}

async function readQuestion(file) {
  let bytes = await readBytes(file);
  const bitmap = await decodePicture(file, file.name);
  if (
    !BEGINNINGS.some((beginning) => beginning.every((x, i) => bytes[i] === x))
  ) {
    bytes = await encodePng(bitmap);
  }
  return toQuestion(toBase64(bytes), bytes, file.name);
}

async function encodePng(bitmap) {
  const canvas = make("canvas", { width: bitmap.width, height: bitmap.height });
  canvas.getContext("2d").drawImage(bitmap, 0, 0);
  const blob = await new Promise((resolve) => canvas.toBlob(resolve));
  if (!blob) throw new Problem("The picture is too large for this browser.");
  return new Uint8Array(await blob.arrayBuffer());
}

function toQuestion(base64, bytes, title) {
  // Without a type: a browser then takes it for pixels alone, never for SVG.
  const picture = URL.createObjectURL(new Blob([bytes]));
  return { inputs: { image_bytes: [{ b64: base64 }] }, title, picture };
}

function listExamples(model) {
  const values = [].concat(model.example?.inputs?.image_bytes ?? []);
  return values.flatMap((value, i) => {
    try {
      const title = values.length > 1 ? `Example ${i + 1}` : "Example";
      return [toQuestion(value.b64, fromBase64(value.b64), title)];
    } catch {
      return []; // Not in base64.
    }
  });
}
