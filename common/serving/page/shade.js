// Shades an element by its weight: the more, the stronger the colour and the
// thicker the line below, for those who see no colours.

export function shade(element, weight, most) {
  const share = most > 0 && weight > 0 ? Math.min(1, weight / most) : 0;
  element.classList.add("shaded");
  // By the object model: the page's policy forbids style attributes.
  element.style.setProperty("--share", share.toFixed(3));
  return element;
}

export const largest = (weights) =>
  weights.reduce((most, weight) => Math.max(most, weight ?? 0), 0);
