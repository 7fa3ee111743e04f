// From a tag for each frame to segments of a timeline.

const SUM_TOLERANCE = 0.01;

// Returns rows of `{ name, segments: [{ name, start, end, share }] }`, in
// frames; one row for tags that exclude each other, else a row for each.
export function makeRows(tags, probabilities, labels) {
  const isMulti = hasSeveral(tags, probabilities, labels);
  const split = (tag) =>
    isMulti ? tag.split(" ").filter(Boolean) : [tag].filter(Boolean);
  const names = [...new Set(tags.flatMap(split))].sort(
    (a, b) => rank(labels, a) - rank(labels, b),
  );
  const segments = names.flatMap((name) =>
    findRuns(tags.map((tag) => split(tag).includes(name))).map(
      ([start, end]) => ({
        name,
        start,
        end,
        share: meanShare(probabilities, labels.indexOf(name), start, end),
      }),
    ),
  );
  if (isMulti) {
    const rows = names.map((name) => ({
      name,
      segments: segments.filter((segment) => segment.name === name),
    }));
    return { names, rows };
  }
  segments.sort((a, b) => a.start - b.start);
  return { names, rows: [{ name: "", segments }] };
}

// Probabilities of tags that exclude each other sum to 1.
function hasSeveral(tags, probabilities, labels) {
  if (tags.some((tag) => tag.includes(" ") && !labels.includes(tag)))
    return true;
  if (!Array.isArray(probabilities)) return false;
  return probabilities.slice(0, tags.length).some((frame) => {
    const sum = frame.reduce((total, share) => total + share, 0);
    return Math.abs(sum - 1) > SUM_TOLERANCE;
  });
}

function rank(labels, name) {
  const index = labels.indexOf(name);
  return index < 0 ? labels.length : index;
}

function findRuns(flags) {
  const runs = [];
  flags.forEach((flag, i) => {
    if (flag && !flags[i - 1]) runs.push([i, i + 1]);
    else if (flag) runs.at(-1)[1] = i + 1;
  });
  return runs;
}

function meanShare(probabilities, index, start, end) {
  if (!Array.isArray(probabilities) || index < 0) return null;
  const frames = probabilities.slice(start, end);
  return frames.reduce((sum, frame) => sum + frame[index], 0) / frames.length;
}
