// Frames of a video file, decoded by the browser.

import { make } from "./dom.js";
import { decodePicture } from "./files.js";
import { FrameWriter } from "./frames.js";
import { Problem } from "./problem.js";

// A frame that does not come in this time never will.
const PATIENCE = 15_000;
// Past the first moment of a frame, so that rounding shows no earlier one.
const LATER = 1e-3;

export async function sampleVideo([file], { height, width, most, rate }, tell) {
  const address = URL.createObjectURL(file);
  const video = make("video", { muted: true, preload: "auto" });
  try {
    const failed =
      `${file.name} is no video that this browser can read. Most read WebM, and` +
      " MP4 with H.264.";
    const ready = wait(video, "loadeddata", failed);
    video.src = address;
    await ready;
    if (!video.videoWidth) throw new Problem(failed);
    const duration = await measure(video, failed);
    const numFrames = Math.max(1, Math.ceil(duration * rate - 1e-6));
    const writer = new FrameWriter(height, width);
    for (let i = 0; i < Math.min(numFrames, most); i++) {
      await seek(video, i / rate + LATER, failed);
      writer.add(video);
      tell(`Reading frame ${i + 1} of ${Math.min(numFrames, most)} …`);
    }
    if (numFrames > most) tell(`Only the first ${most} frames are read.`);
    return writer.finish();
  } finally {
    video.removeAttribute("src");
    video.load();
    URL.revokeObjectURL(address);
  }
}

export async function samplePictures(files, { height, width, most }, tell) {
  const writer = new FrameWriter(height, width);
  // Frames are numbered: 2 comes before 10.
  const options = { numeric: true };
  const sorted = [...files].sort((a, b) =>
    a.name.localeCompare(b.name, "en", options),
  );
  for (const file of sorted.slice(0, most)) {
    const bitmap = await decodePicture(file, file.name);
    writer.add(bitmap);
    bitmap.close();
  }
  if (files.length > most) tell(`Only the first ${most} pictures are read.`);
  return writer.finish();
}

async function measure(video, failed) {
  if (Number.isFinite(video.duration)) return video.duration;
  // What a browser recorded has no duration before its end was sought.
  await seek(video, 1e9, failed);
  return Number.isFinite(video.duration) ? video.duration : video.currentTime;
}

async function seek(video, seconds, failed) {
  const sought = wait(video, "seeked", failed);
  video.currentTime = seconds;
  await sought;
}

function wait(video, event, failed) {
  return new Promise((resolve, reject) => {
    const stop = new AbortController();
    const end = (settle, value) => {
      clearTimeout(timer);
      stop.abort();
      settle(value);
    };
    const fail = () => end(reject, new Problem(failed));
    const timer = setTimeout(fail, PATIENCE);
    const options = { signal: stop.signal };
    video.addEventListener(event, () => end(resolve), options);
    video.addEventListener("error", fail, options);
  });
}
