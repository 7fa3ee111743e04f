// Shows the answer to one question, by the outputs that came.

import { showCaption } from "./show_caption.js";
import { showLabels } from "./show_labels.js";
import { showTags } from "./show_tags.js";
import { showTranslation } from "./show_translation.js";
import { showWords } from "./show_words.js";

// Returns `{ parts, summary }`: elements, and a sentence for who cannot see
// them. Of outputs that are not ours it returns none.
export function showOutputs(model, question, outputs) {
  const row = firstRow(outputs);
  for (const show of [showTags, showCaption, showTranslation, showLabels]) {
    const shown = show(model, question, row);
    if (!shown) continue;
    const words = show === showLabels ? showWords(row) : null;
    return words ? { ...shown, parts: [...shown.parts, words] } : shown;
  }
  return { parts: [], summary: "The model answered." };
}

const firstRow = (outputs) =>
  Object.fromEntries(
    Object.entries(outputs).map(([name, value]) => [
      name,
      Array.isArray(value) ? value[0] : value,
    ]),
  );
