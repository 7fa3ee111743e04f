// Makes elements from text alone. Names, labels and answers come from
// strangers: nothing of theirs is ever parsed as HTML.

export function make(tag, properties = {}, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(properties)) {
    if (name in element) element[name] = value;
    else element.setAttribute(name, value);
  }
  element.append(...children.filter((child) => child !== null));
  return element;
}

// Words of any script keep their direction to themselves.
export const isolate = (text) => make("bdi", {}, String(text));

let numIds = 0;
export const newId = () => `id-${(numIds += 1)}`;

// A table with headers that a screen reader can name: the first cell of each
// row is one. Cells are texts or elements.
export function makeTable(caption, headers, rows) {
  const head = headers.map((text) => make("th", { scope: "col" }, text));
  const body = rows.map(([first, ...others]) =>
    make(
      "tr",
      {},
      make("th", { scope: "row" }, first),
      ...others.map((cell) => make("td", {}, cell)),
    ),
  );
  const table = make(
    "table",
    {},
    make("caption", { className: "unseen" }, caption),
    make("thead", {}, make("tr", {}, ...head)),
    make("tbody", {}, ...body),
  );
  return makeScroller(caption, table);
}

// What may be wider than the window scrolls by itself; by keyboard, too.
export function makeScroller(label, ...children) {
  const properties = { className: "scroller", tabIndex: 0, role: "region" };
  return make("div", { ...properties, "aria-label": label }, ...children);
}

export const makeDetails = (title, ...children) =>
  make("details", {}, make("summary", {}, title), ...children);
