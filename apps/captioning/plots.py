"""Pictures: images with their captions, and where the decoder looked."""

import math
import textwrap
from pathlib import Path
from typing import Any

import numpy as np

from common import atomic
from common.errors import UserError

from .pipeline import Looks

NUM_COLUMNS = 4
INCHES = 2.4  # Of one picture's side.
LINE_LENGTH = 30  # Characters of a caption in one line.


def gallery(pictures: list[tuple[np.ndarray, str]], path: Path) -> None:
    """Draws images with their captions below.

    Args:
        pictures: pixels <float32>[height, width, 3], 0 to 255, and captions.
        path: the file to write; its ending names the format.

    Raises:
        UserError: if matplotlib is missing or knows no such format.
    """
    figure = _figure(path, "--gallery")
    for axes, (pixels, text) in zip(
        _grid(figure, len(pictures)), pictures, strict=False
    ):
        axes.imshow(pixels / 255)
        axes.set_title(_wrapped(text), y=-0.02, va="top", fontsize=8)
    _save(figure, path)


def attention(looks: Looks, pixels: np.ndarray | None, path: Path) -> None:
    """Draws an image once for each word, light where the decoder looked.

    Args:
        looks: the words and where they were looked for.
        pixels: <float32>[height, width, 3], 0 to 255; None if there are only
            features.
        path: the file to write; its ending names the format.

    Raises:
        UserError: if matplotlib is missing or knows no such format, or the
            regions are no square.
    """
    side = math.isqrt(looks.weights.shape[1])
    if side**2 != looks.weights.shape[1]:
        raise UserError(
            f"--attention-plot: {looks.weights.shape[1]} regions are no square"
        )
    figure = _figure(path, "--attention-plot")
    for axes, word, weights in zip(
        _grid(figure, len(looks.words)), *looks, strict=False
    ):
        extent = (0, 1, 1, 0)
        if pixels is not None:
            axes.imshow(pixels / 255, extent=extent)
        axes.imshow(
            weights.reshape(side, side),
            extent=extent,
            cmap="gray",
            interpolation="bicubic",
            alpha=1 if pixels is None else 0.6,
        )
        axes.set_title(_wrapped(word), fontsize=10)
    _save(figure, path)


def _figure(path: Path, flag: str) -> Any:
    try:
        from matplotlib.backends.backend_agg import FigureCanvasAgg
        from matplotlib.figure import Figure
    except ImportError as error:
        raise UserError(
            f"{flag} needs the package matplotlib: pip install"
            ' "rnn-topologies[plots]"'
        ) from error
    figure = Figure(layout="constrained")
    endings = FigureCanvasAgg(figure).get_supported_filetypes()
    if path.suffix.removeprefix(".") not in endings:
        raise UserError(
            f"{flag} {path}: expected a name ending in .png, .svg or .pdf"
        )
    return figure


def _grid(figure: Any, count: int) -> list[Any]:
    """Axes without frames for so many pictures, row by row."""
    num_columns = min(count, NUM_COLUMNS)
    num_rows = -(-count // NUM_COLUMNS)
    figure.set_size_inches(INCHES * num_columns, 1.2 * INCHES * num_rows)
    axes = figure.subplots(num_rows, num_columns, squeeze=False).ravel()
    for one in axes:
        one.set_axis_off()
    return list(axes)


def _wrapped(text: str) -> str:
    """In short lines; dollars would begin a formula."""
    return textwrap.fill(text, LINE_LENGTH).replace("$", r"\$")


def _save(figure: Any, path: Path) -> None:
    with atomic.write(path) as partial:
        figure.savefig(partial, dpi=120)
