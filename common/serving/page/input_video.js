// A video, or pictures that are its frames, squeezed to the size that the model
// reads.

import { make, newId } from "./dom.js";
import { makeDrop } from "./drop.js";
import { makeFrames } from "./frames.js";
import { Problem } from "./problem.js";
import { count } from "./text.js";
import { samplePictures, sampleVideo } from "./video.js";

const DEFAULT_RATE = 4;
const MAX_FRAMES = 200;
// Numbers in one request: about 45 MB of JSON.
const MAX_NUMBERS = 12_000_000;

export function makeVideoInput(model, submit, tell) {
  const { shape } = model.signatures.serving_default.inputs.frames;
  const [height, width] = [shape[2], shape[3]];
  const most = Math.max(
    1,
    Math.min(MAX_FRAMES, Math.floor(MAX_NUMBERS / (height * width * 3))),
  );
  const rate = makeRate();
  let files = [];
  let question = null;
  const drop = makeDrop(
    {
      title: "Drop a video here, or choose one",
      hint: `or several pictures, as its frames; at most ${most} are read`,
      accept: "video/*,image/*",
      multiple: true,
    },
    (chosen) => {
      files = chosen;
      question = null;
      drop.name(nameFiles(files));
      submit();
    },
  );

  async function sample() {
    const isVideo = files.length === 1 && !files[0].type.startsWith("image/");
    const read = isVideo ? sampleVideo : samplePictures;
    const size = { height, width, most, rate: rate.read() };
    const frames = await read(files, size, tell);
    return toQuestion(frames, nameFiles(files), size.rate);
  }

  return {
    element: make("div", {}, drop.element, rate.element),
    async read() {
      if (!files.length && !question) {
        drop.focus();
        throw new Problem("Choose a video first, or an example.");
      }
      if (!question) question = await sample();
      else if (question.rate !== rate.read()) {
        // Of a file, other frames; of frames, other times.
        if (files.length) question = await sample();
        else question = { ...question, rate: rate.read() };
      }
      return question;
    },
    show(next) {
      files = [];
      question = next;
      rate.write(next.rate);
      drop.name(next.title);
    },
    examples: listExamples(model),
  };
}

export function makeRate() {
  const id = newId();
  const input = make("input", {
    id,
    type: "number",
    min: "0.1",
    max: "60",
    step: "any",
    value: String(DEFAULT_RATE),
  });
  const label = make("label", { htmlFor: id }, "Frames a second");
  return {
    element: make("div", { className: "row" }, label, input),
    read() {
      const value = Number(input.value);
      if (value >= 0.1 && value <= 60) return value;
      input.focus();
      throw new Problem("Frames a second: expected a number from 0.1 to 60.");
    },
    write: (value) => (input.value = String(value)),
  };
}

const nameFiles = (files) =>
  files.length === 1
    ? files[0].name
    : `${files[0].name} and ${count(files.length - 1, "picture")} more`;

function toQuestion(frames, title, rate) {
  const inputs = { frames: [frames.toLists()], lengths: [frames.length] };
  return { inputs, title, video: frames, rate };
}

function listExamples(model) {
  const example = model.example?.inputs;
  if (!Array.isArray(example?.frames?.[0])) return [];
  try {
    const frames = makeFrames(example.frames[0]);
    const title = `Example, ${count(frames.length, "frame")}`;
    return [toQuestion(frames, title, DEFAULT_RATE)];
  } catch {
    return []; // Of another shape than the signature.
  }
}
