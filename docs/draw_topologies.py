"""Draws the five topologies: `python docs/draw_topologies.py`.

Writes `docs/images/topologies.svg`, which the README shows. Plain strings, no
library; a test compares the file with what this script draws.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

PATH = Path(__file__).with_name("images") / "topologies.svg"

BOX = 26  # Width and height of a box.
PITCH = 42  # From one step to the next.
MARGIN = 12
LABELS = 58  # Room for the names of the rows, left of the panels.
ROWS = {"output": 52, "hidden": 116, "input": 180}  # Centers, from the top.
LETTERS = {"output": "y", "hidden": "h", "input": "x"}
TEXT_TOP = 232  # Of the first line below the boxes.
LINE = 18
HEIGHT = 292


class Topology(NamedTuple):
    """One of the five pictures.

    Attributes:
        lines: the name and the texts below it.
        num_steps: how many hidden boxes stand side by side.
        inputs: the steps that read an input.
        outputs: the steps that write an output.
        width: of the panel.
        feeds_back: True if a step reads what the last one wrote.
    """

    lines: Sequence[str]
    num_steps: int
    inputs: Sequence[int]
    outputs: Sequence[int]
    width: int
    feeds_back: bool = False


TOPOLOGIES = (
    Topology(
        ("one-to-one", "no recurrence", "a vector → a vector"),
        *(1, [0], [0], 146),
    ),
    Topology(
        ("one-to-many", "apps/captioning", "an image → a sentence"),
        *(3, [0], [0, 1, 2], 168, True),
    ),
    Topology(
        ("many-to-one", "apps/sentiment", "a text → one label"),
        *(3, [0, 1, 2], [2], 152),
    ),
    Topology(
        (
            "many-to-many, unaligned",
            "apps/translation",
            "a sentence → a sentence",
        ),
        *(5, [0, 1, 2], [3, 4], 228, True),
    ),
    Topology(
        ("many-to-many, aligned", "apps/video_tagging", "frames → their tags"),
        *(3, [0, 1, 2], [0, 1, 2], 196),
    ),
)

# The colours of Okabe and Ito, which also the colour-blind tell apart; the
# panels have a ground of their own, so that any page may lie below.
STYLE = """
  .ground { fill: #ffffff; }
  .panel { fill: #f3f5f7; stroke: #d0d7de; }
  .input { fill: #f0b429; }
  .hidden { fill: #35b38a; }
  .output { fill: #63b8ec; }
  .letter { fill: #14181d; font-style: italic; }
  .name { fill: #1f2328; font-weight: bold; }
  .text { fill: #57606a; }
  .arrow { stroke: #57606a; stroke-width: 1.6; fill: none; }
  .back { stroke-dasharray: 3 3; }
  .head { fill: #57606a; }
  text { font: 13px system-ui, "Segoe UI", Helvetica, Arial, sans-serif; }
  @media (prefers-color-scheme: dark) {
    .ground { fill: #0d1117; }
    .panel { fill: #161b22; stroke: #3d444d; }
    .name { fill: #f0f6fc; }
    .text { fill: #b1bac4; }
    .arrow { stroke: #b1bac4; }
    .head { fill: #b1bac4; }
  }
"""


def draw() -> str:
    """Returns the picture as SVG."""
    parts = [
        _text(MARGIN, y + 5, "text", row, anchor="start")
        for row, y in ROWS.items()
    ]
    left = MARGIN + LABELS
    for topology in TOPOLOGIES:
        parts += _panel(topology, left)
        left += topology.width + MARGIN
    names = ", ".join(topology.lines[0] for topology in TOPOLOGIES)
    return "\n".join(
        [
            f'<svg xmlns="http://www.w3.org/2000/svg" width="{left}"'
            f' height="{HEIGHT}" viewBox="0 0 {left} {HEIGHT}" role="img">',
            f"<title>The five topologies: {names}</title>",
            f"<style>{STYLE}</style>",
            '<defs><marker id="head" viewBox="0 0 8 8" refX="7" refY="4"'
            ' markerWidth="5" markerHeight="5" orient="auto">'
            '<path class="head" d="M0 0 L8 4 L0 8 Z"/></marker></defs>',
            f'<rect class="ground" width="{left}" height="{HEIGHT}" rx="8"/>',
            *parts,
            "</svg>\n",
        ]
    )


def _panel(topology: Topology, left: int) -> list[str]:
    middle = left + topology.width // 2
    first = middle - (topology.num_steps - 1) * PITCH // 2
    xs = [first + step * PITCH for step in range(topology.num_steps)]
    parts = [
        f'<rect class="panel" x="{left}" y="{MARGIN}" width="{topology.width}"'
        f' height="{HEIGHT - 2 * MARGIN}" rx="8"/>'
    ]
    parts += _arrows(topology, xs)
    parts += [_box(x, "hidden") for x in xs]
    parts += [_box(xs[step], "input") for step in topology.inputs]
    parts += [_box(xs[step], "output") for step in topology.outputs]
    for number, line in enumerate(topology.lines):
        kind = "text" if number else "name"
        parts.append(_text(middle, TEXT_TOP + number * LINE, kind, line))
    return parts


def _arrows(topology: Topology, xs: list[int]) -> list[str]:
    half = BOX // 2
    output, hidden, below = ROWS["output"], ROWS["hidden"], ROWS["input"]
    lines = [(x, below - half, x, hidden + half) for x in xs]
    parts = [_arrow(*lines[step]) for step in topology.inputs]
    lines = [(x, hidden - half, x, output + half) for x in xs]
    parts += [_arrow(*lines[step]) for step in topology.outputs]
    parts += [
        _arrow(x + half, hidden, x + PITCH - half, hidden) for x in xs[:-1]
    ]
    if topology.feeds_back:
        parts += [
            _arrow(
                *(xs[step] + half, output + half),
                *(xs[step] + PITCH - half, hidden - half),
                kind="arrow back",
            )
            for step in topology.outputs[:-1]
        ]
    return parts


def _arrow(x1: int, y1: int, x2: int, y2: int, kind: str = "arrow") -> str:
    return (
        f'<path class="{kind}" d="M{x1} {y1} L{x2} {y2}"'
        ' marker-end="url(#head)"/>'
    )


def _box(x: int, row: str) -> str:
    top, left = ROWS[row] - BOX // 2, x - BOX // 2
    return (
        f'<rect class="{row}" x="{left}" y="{top}" width="{BOX}"'
        f' height="{BOX}" rx="5"/>'
        + _text(x, ROWS[row] + 4, "letter", LETTERS[row])
    )


def _text(x: int, y: int, kind: str, text: str, anchor: str = "middle") -> str:
    return (
        f'<text class="{kind}" x="{x}" y="{y}" text-anchor="{anchor}">'
        f"{text}</text>"
    )


if __name__ == "__main__":
    PATH.write_text(draw(), encoding="utf-8")
    print(f"{PATH}: {len(TOPOLOGIES)} topologies")
