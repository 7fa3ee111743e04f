// The frames of a video as bytes: RGB, row by row.

export class Frames {
  constructor(height, width, values) {
    this.height = height;
    this.width = width;
    this.values = values; // Uint8Array of length * height * width * 3.
  }

  get length() {
    return this.values.length / (this.height * this.width * 3);
  }

  // Nested lists for JSON: [time][height][width][3].
  toLists() {
    const { height, width, values } = this;
    let position = 0;
    const next = () => values[position++];
    const pixel = () => [next(), next(), next()];
    const row = () => Array.from({ length: width }, pixel);
    const frame = () => Array.from({ length: height }, row);
    return Array.from({ length: this.length }, frame);
  }

  // Draws one on a canvas of its size.
  draw(canvas, index) {
    const size = this.height * this.width;
    const pixels = new ImageData(this.width, this.height);
    const start = index * size * 3;
    for (let i = 0; i < size; i++) {
      for (let channel = 0; channel < 3; channel++) {
        pixels.data[i * 4 + channel] = this.values[start + i * 3 + channel];
      }
      pixels.data[i * 4 + 3] = 255;
    }
    canvas.getContext("2d").putImageData(pixels, 0, 0);
  }
}

export function makeFrames(lists) {
  const values = Uint8Array.from(lists.flat(3));
  const [height, width] = [lists[0].length, lists[0][0].length];
  if (values.length !== lists.length * height * width * 3) {
    throw new RangeError("frames differ in size");
  }
  return new Frames(height, width, values);
}

// Collects what is drawn on a canvas of the frames' size.
export class FrameWriter {
  constructor(height, width) {
    this.canvas = document.createElement("canvas");
    Object.assign(this.canvas, { height, width });
    const options = { willReadFrequently: true };
    this.context = this.canvas.getContext("2d", options);
    this.context.imageSmoothingQuality = "high";
    this.parts = [];
  }

  // Squeezes a picture or the present frame of a video; nothing is cropped.
  add(source) {
    const { width, height } = this.canvas;
    this.context.drawImage(source, 0, 0, width, height);
    const { data } = this.context.getImageData(0, 0, width, height);
    const part = new Uint8Array(height * width * 3);
    for (let i = 0; i < height * width; i++) {
      for (let channel = 0; channel < 3; channel++) {
        part[i * 3 + channel] = data[i * 4 + channel];
      }
    }
    this.parts.push(part);
  }

  finish() {
    const { width, height } = this.canvas;
    const values = new Uint8Array(this.parts.length * height * width * 3);
    this.parts.forEach((part, i) => values.set(part, i * part.length));
    return new Frames(height, width, values);
  }
}
