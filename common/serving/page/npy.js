// Files of NumPy's format NPY, versions 1 to 3: float32 and float64.

import { Problem } from "./problem.js";

const MAGIC = "\x93NUMPY";

// Returns `{ shape, values }`, in C order.
export function parseNpy(buffer) {
  const view = new DataView(buffer);
  const bytes = new Uint8Array(buffer);
  const magic = String.fromCharCode(...bytes.subarray(0, 6));
  if (magic !== MAGIC || bytes.length < 12) {
    throw new Problem("This is no .npy file, as numpy.save writes them.");
  }
  const isFirst = bytes[6] === 1;
  const length = isFirst ? view.getUint16(8, true) : view.getUint32(8, true);
  const start = (isFirst ? 10 : 12) + length;
  const header = new TextDecoder().decode(
    bytes.subarray(isFirst ? 10 : 12, start),
  );
  const { dtype, shape, isFortran } = parseHeader(header);
  const size = shape.reduce((product, axis) => product * axis, 1);
  const width = dtype === "<f4" ? 4 : 8;
  if (bytes.length !== start + size * width) {
    throw new Problem("This .npy file is damaged: it is cut, or too long.");
  }
  const read = dtype === "<f4" ? view.getFloat32 : view.getFloat64;
  const values = new Float32Array(size);
  for (let i = 0; i < size; i++) {
    values[i] = read.call(view, start + i * width, true);
  }
  const array = { shape, values };
  return isFortran ? reverseAxes(array) : array;
}

function parseHeader(header) {
  const dtype = /'descr':\s*'([^']*)'/.exec(header)?.[1];
  const order = /'fortran_order':\s*(True|False)/.exec(header)?.[1];
  const axes = /'shape':\s*\(([\d,\s]*)\)/.exec(header)?.[1];
  if (!order || axes === undefined || !["<f4", "<f8"].includes(dtype)) {
    throw new Problem(
      `Expected an array of float32 or float64, got ${dtype ?? "something else"}.`,
    );
  }
  const shape = axes
    .split(",")
    .filter((axis) => axis.trim())
    .map(Number);
  return { dtype, shape, isFortran: order === "True" };
}

// An array in Fortran's order, and C's of the axes reversed, are the same.
function reverseAxes({ shape, values }) {
  if (shape.length < 2) return { shape, values };
  if (shape.length > 2) throw new Problem("Save the array in C order.");
  return transpose({ shape: [...shape].reverse(), values });
}

export function transpose({ shape: [rows, columns], values }) {
  const result = new Float32Array(values.length);
  for (let i = 0; i < rows; i++) {
    for (let j = 0; j < columns; j++) {
      result[j * rows + i] = values[i * columns + j];
    }
  }
  return { shape: [columns, rows], values: result };
}

// Nested lists for JSON.
export function toLists({ shape, values }) {
  if (!shape.length) return toShort(values[0]);
  const size = values.length / shape[0];
  return Array.from({ length: shape[0] }, (_, i) =>
    toLists({
      shape: shape.slice(1),
      values: values.subarray(i * size, (i + 1) * size),
    }),
  );
}

// As many digits as float32 has: a third of what float64 would print.
const toShort = (value) => Number(value.toPrecision(8));
