// Features of a video or a picture, from a file of NumPy.

import { make } from "./dom.js";
import { makeDrop } from "./drop.js";
import { makeRate } from "./input_video.js";
import { parseNpy, toLists, transpose } from "./npy.js";
import { Problem } from "./problem.js";
import { count, formatShape } from "./text.js";

// Numbers in one request: about 60 MB of JSON.
const MAX_NUMBERS = 5_000_000;

export function makeFeaturesInput(model, submit, tell) {
  const { inputs } = model.signatures.serving_default;
  const { shape } = inputs.features;
  const hasTime = "lengths" in inputs;
  const rate = makeRate();
  let question = null;
  const show = (next) => {
    question = next;
    drop.name(next.title);
    if (next.rate) rate.write(next.rate);
  };
  const take = async ([file]) => {
    try {
      const array = fitShape(parseNpy(await file.arrayBuffer()), shape);
      show(toQuestion(cut(array, hasTime, tell), hasTime, file.name));
      submit();
    } catch (error) {
      tell(error);
    }
  };
  const hint = `numbers of the shape ${formatShape(shape.slice(1))}`;
  const drop = makeDrop(
    { title: "Drop a .npy file here, or choose one", hint, accept: ".npy" },
    take,
  );
  return {
    element: make("div", {}, drop.element, hasTime ? rate.element : ""),
    async read() {
      if (question) return { ...question, rate: rate.read() };
      drop.focus();
      throw new Problem("Choose a .npy file first, or an example.");
    },
    show,
    examples: listExamples(model, hasTime),
  };
}

// Returns the array with the axes of one row of the input.
export function fitShape(array, [, ...wanted]) {
  const { shape, values } = array;
  const fits = (sizes) =>
    sizes.length === wanted.length &&
    sizes.every((size, i) => wanted[i] === null || wanted[i] === size);
  if (!shape.includes(0)) {
    if (fits(shape)) return array;
    // A batch of one row.
    if (shape[0] === 1 && fits(shape.slice(1))) {
      return { shape: shape.slice(1), values };
    }
    // Some features of videos are saved as [features, time].
    if (shape.length === 2 && fits([shape[1], shape[0]])) {
      return transpose(array);
    }
  }
  const got = formatShape(shape);
  throw new Problem(`Expected the shape ${formatShape(wanted)}, got ${got}.`);
}

function cut(array, hasTime, tell) {
  if (!array.values.every(Number.isFinite)) {
    throw new Problem("The file has values that are infinite, or no numbers.");
  }
  if (array.values.length <= MAX_NUMBERS) return array;
  if (!hasTime) throw new Problem("The file is too large for one request.");
  const [time, ...others] = array.shape;
  const size = array.values.length / time;
  const most = Math.floor(MAX_NUMBERS / size);
  tell(`Only the first ${most} of ${time} frames fit into a request.`);
  return {
    shape: [most, ...others],
    values: array.values.subarray(0, most * size),
  };
}

function toQuestion(array, hasTime, title) {
  const inputs = { features: [toLists(array)] };
  if (hasTime) inputs.lengths = [array.shape[0]];
  return { inputs, title };
}

function listExamples(model, hasTime) {
  const features = model.example?.inputs?.features?.[0];
  if (!Array.isArray(features)) return [];
  const inputs = { features: [features] };
  if (hasTime) inputs.lengths = [features.length];
  const title = hasTime
    ? `Example, ${count(features.length, "frame")}`
    : "Example";
  return [{ inputs, title }];
}
