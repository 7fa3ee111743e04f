// A timeline of tags, beside the frames.

import { isolate, make, makeDetails, makeTable, newId } from "./dom.js";
import { makeRows } from "./segments.js";
import { count, formatSeconds, formatShare } from "./text.js";

const NUM_PATTERNS = 4;
const GOLDEN_ANGLE = 137.5; // Neighbours in the legend differ most.
const NUM_TICKS = 5;
const NARROW = 0.04; // Of the width; a number has no place there.

export function showTags(model, question, { tags, probabilities }) {
  if (!Array.isArray(tags)) return null;
  const length = question.inputs.lengths?.[0] ?? tags.length;
  const real = tags.slice(0, length).map(String);
  const rate = question.rate ?? 1;
  const { names, rows } = makeRows(real, probabilities, model.labels ?? []);
  const segments = rows
    .flatMap((row) => row.segments)
    .sort((a, b) => a.start - b.start);
  const player = question.video ? makePlayer(question.video, rate, real) : null;
  const line = make("div", { className: "cursor" });
  const seek = (frame) => player?.seek(frame);
  player?.follow((frame) => {
    line.style.setProperty("--at", String((frame + 0.5) / length));
  });
  const tracks = make("div", { className: "tracks", ariaHidden: "true" });
  tracks.append(
    ...rows.map((row) => makeTrack(row, names, length, rate, seek)),
    makeAxis(length / rate),
  );
  if (player) tracks.append(make("div", { className: "cursors" }, line));
  const table = makeSegmentTable(segments, rate, player ? seek : null);
  const title = `As a table: ${count(segments.length, "segment")}`;
  const parts = [
    player?.element ?? "",
    tracks,
    makeLegend(names, segments, length),
    makeDetails(title, table),
  ];
  return { parts, summary: summarize(segments, length, rate) };
}

function summarize(segments, length, rate) {
  const seconds = formatSeconds(length / rate);
  const shown = segments
    .slice(0, 3)
    .map(({ name, start }) => `${name} from ${formatSeconds(start / rate)}`);
  if (segments.length > 3) shown.push("and so on");
  return `${count(segments.length, "segment")} in ${seconds}: ${
    shown.join(", ") || "no tag"
  }.`;
}

// Colour, pattern and number of a tag: none tells alone.
function paint(element, index) {
  element.classList.add("tag", `pattern-${index % NUM_PATTERNS}`);
  const hue = (index * GOLDEN_ANGLE + 210) % 360;
  element.style.setProperty("--hue", hue.toFixed(1));
  return element;
}

function makeTrack({ name, segments }, names, length, rate, seek) {
  const track = make("div", { className: "track" });
  for (const segment of segments) {
    const index = names.indexOf(segment.name);
    const share = (segment.end - segment.start) / length;
    const times = [segment.start, segment.end].map((x) =>
      formatSeconds(x / rate),
    );
    const block = make("div", {
      title: `${segment.name}, ${times.join(" to ")}`,
    });
    block.append(share > NARROW ? String(index + 1) : "");
    block.style.setProperty("--start", String(segment.start / length));
    block.style.setProperty("--share", String(share));
    block.addEventListener("click", () => seek(segment.start));
    track.append(paint(block, index));
  }
  const title = name
    ? [make("div", { className: "row-name" }, isolate(name))]
    : [];
  return make("div", {}, ...title, track);
}

function makeAxis(seconds) {
  const axis = make("div", { className: "axis" });
  for (let i = 0; i < NUM_TICKS; i++) {
    const share = i / (NUM_TICKS - 1);
    axis.append(make("span", {}, formatSeconds(seconds * share)));
  }
  return axis;
}

function makeLegend(names, segments, length) {
  const items = names.map((name, i) => {
    const swatch = make("span", { className: "swatch", ariaHidden: "true" });
    swatch.append(String(i + 1));
    const frames = segments
      .filter((segment) => segment.name === name)
      .reduce((sum, { start, end }) => sum + end - start, 0);
    const share = make(
      "span",
      { className: "hint" },
      formatShare(frames / length),
    );
    return make("li", {}, paint(swatch, i), isolate(name), " ", share);
  });
  return make("ul", { className: "legend", ariaLabel: "Tags" }, ...items);
}

function makeSegmentTable(segments, rate, seek) {
  const rows = segments.map(({ name, start, end, share }) => {
    const from = formatSeconds(start / rate);
    const button = make("button", { type: "button", className: "quiet" }, from);
    button.setAttribute("aria-label", `Show the frame at ${from}`);
    button.addEventListener("click", () => seek?.(start));
    return [
      isolate(name),
      seek ? button : from,
      formatSeconds(end / rate),
      share === null ? "" : formatShare(share),
    ];
  });
  const headers = ["Tag", "From", "To", "Mean probability"];
  return makeTable("Segments", headers, rows);
}

// The frames that the model read, one at a time.
function makePlayer(video, rate, tags) {
  const id = newId();
  const canvas = make("canvas", { width: video.width, height: video.height });
  canvas.setAttribute("role", "img");
  const slider = make("input", {
    id,
    type: "range",
    min: "0",
    max: String(video.length - 1),
    step: "1",
    value: "0",
  });
  const caption = make("output", { htmlFor: id });
  let listener = () => {};
  const show = () => {
    const frame = Number(slider.value);
    const tag = tags[frame] || "no tag";
    const text = `${formatSeconds(frame / rate)}: ${tag}`;
    video.draw(canvas, frame);
    canvas.setAttribute("aria-label", `The frame at ${text}`);
    slider.setAttribute("aria-valuetext", text);
    caption.textContent = text;
    listener(frame);
  };
  slider.addEventListener("input", show);
  const label = make("label", { htmlFor: id, className: "unseen" }, "Frame");
  const element = make("div", { className: "player" });
  element.append(canvas, label, slider, caption);
  return {
    element,
    seek(frame) {
      slider.value = String(frame);
      show();
    },
    follow(listen) {
      listener = listen;
      show();
    },
  };
}
