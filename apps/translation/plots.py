"""A picture of the attention behind a translation."""

from pathlib import Path

import numpy as np

from common import plotting

INCHES_A_TOKEN = 0.35


def plot_attention(
    source: list[str], target: list[str], weights: np.ndarray, path: Path
) -> None:
    """Draws the attention: source across, translation down, darker is more.

    Args:
        source: the tokens across.
        target: the tokens down.
        weights: <float32>[target, source].
        path: the file to write; its ending names the format.

    Raises:
        UserError: if matplotlib is missing or knows no such format.
    """
    size = (2 + INCHES_A_TOKEN * len(source), 1 + INCHES_A_TOKEN * len(target))
    figure = plotting.new_figure(path, "--attention-plot", figsize=size)
    axes = figure.subplots()
    axes.imshow(weights, cmap="Greys", vmin=0, vmax=1)
    axes.set_xticks(range(len(source)), _labels(source), rotation=90)
    axes.set_yticks(range(len(target)), _labels(target))
    axes.xaxis.tick_top()
    plotting.save(figure, path)


def _labels(tokens: list[str]) -> list[str]:
    # Spaces are made visible.
    return [
        plotting.escape(token.replace(" ", "\N{OPEN BOX}")) for token in tokens
    ]
