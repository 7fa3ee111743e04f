"""A picture of where the decoder looked."""

from pathlib import Path

from common import atomic
from common.errors import UserError

from .pipeline import Alignment

INCHES_A_TOKEN = 0.35


def attention(alignment: Alignment, path: Path) -> None:
    """Draws the attention: source across, translation down, darker is more.

    Args:
        alignment: tokens of both sides, and the weights.
        path: the file to write; its ending names the format.

    Raises:
        UserError: if matplotlib is missing or knows no such format.
    """
    try:
        from matplotlib.backends.backend_agg import FigureCanvasAgg
        from matplotlib.figure import Figure
    except ImportError as error:
        raise UserError(
            "--attention-plot needs the package matplotlib: pip install"
            ' "rnn-topologies[plots]"'
        ) from error
    source, target, weights = alignment
    size = (
        2 + INCHES_A_TOKEN * len(source),
        1 + INCHES_A_TOKEN * len(target),
    )
    figure = Figure(figsize=size, layout="constrained")
    canvas = FigureCanvasAgg(figure)
    endings = canvas.get_supported_filetypes()
    if path.suffix.removeprefix(".") not in endings:
        raise UserError(
            f"--attention-plot {path}: expected a name ending in .png, .svg or"
            " .pdf"
        )
    axes = figure.subplots()
    axes.imshow(weights, cmap="Greys", vmin=0, vmax=1)
    axes.set_xticks(range(len(source)), _labels(source), rotation=90)
    axes.set_yticks(range(len(target)), _labels(target))
    axes.xaxis.tick_top()
    with atomic.write(path) as partial:
        figure.savefig(partial)


def _labels(tokens: list[str]) -> list[str]:
    """Spaces made visible; dollars would begin a formula."""
    return [
        token.replace(" ", "\N{OPEN BOX}").replace("$", r"\$")
        for token in tokens
    ]
