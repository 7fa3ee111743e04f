// Which input a signature wants, judged by the names, types and axes that the
// apps of this project export. All others get an editor of JSON.

import { makeFeaturesInput } from "./input_features.js";
import { makeJsonInput } from "./input_json.js";
import { makePictureInput } from "./input_picture.js";
import { makeTextInput } from "./input_text.js";
import { makeVideoInput } from "./input_video.js";

const DEFAULT = "serving_default";
// Signatures that say more of the same input.
const EXTRAS = ["explain", "n_best"];

export function chooseSignature(model) {
  const names = Object.keys(model.signatures);
  return names.includes(DEFAULT) ? DEFAULT : names[0];
}

// Returns an input: `element`, `read()` to a promise of a question, `show`ing
// one, and `examples`. A question has the `inputs` of a request, a `title`,
// and what its answer is shown with: `picture` (an address) or `video`.
export function makeInput(model, submit, tell) {
  const name = chooseSignature(model);
  const inputs = model.signatures[name]?.inputs ?? {};
  const make = name === DEFAULT ? chooseMaker(inputs) : makeJsonInput;
  return make(model, submit, tell);
}

function chooseMaker(inputs) {
  const { text, image_bytes: picture, frames, features, lengths } = inputs;
  const numInputs = Object.keys(inputs).length;
  if (numInputs === 1 && isTexts(text)) return makeTextInput;
  if (numInputs === 1 && isTexts(picture)) return makePictureInput;
  if (numInputs === 2 && lengths && isVideos(frames)) return makeVideoInput;
  const isAlone = numInputs === 1 || (numInputs === 2 && lengths);
  if (isAlone && isFeatures(features)) return makeFeaturesInput;
  return makeJsonInput;
}

const isTexts = (tensor) =>
  tensor?.dtype === "string" && tensor.shape?.length === 1;

const isVideos = (tensor) =>
  tensor?.dtype === "uint8" &&
  tensor.shape?.length === 5 &&
  tensor.shape[2] > 0 &&
  tensor.shape[3] > 0 &&
  tensor.shape[4] === 3;

const isFeatures = (tensor) =>
  tensor?.dtype === "float32" &&
  tensor.shape?.length >= 2 &&
  tensor.shape.at(-1) > 0;

// Names of signatures that take the inputs of the one asked.
export function listExtras(model, asked) {
  const wanted = listInputs(model.signatures[asked]);
  return EXTRAS.filter(
    (name) =>
      name !== asked &&
      name in model.signatures &&
      listInputs(model.signatures[name]) === wanted,
  );
}

const listInputs = ({ inputs }) => Object.keys(inputs).sort().join();
