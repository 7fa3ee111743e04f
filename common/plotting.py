"""Pictures by matplotlib, where it is installed."""

from pathlib import Path
from typing import Any

from common import atomic
from common.characters import printable
from common.errors import UserError


def new_figure(path: Path, flag: str, **options: Any) -> Any:
    """Returns an empty matplotlib figure, to be saved as `path`.

    Args:
        path: the file to write; its ending names the format.
        flag: the command-line flag that asks for it, for the error message.
        **options: of `matplotlib.figure.Figure`.

    Raises:
        UserError: if matplotlib is missing or knows no such format.
    """
    try:
        from matplotlib.backends.backend_agg import FigureCanvasAgg
        from matplotlib.figure import Figure
    except ImportError as error:
        raise UserError(
            f"{flag} needs the package matplotlib: pip install"
            ' "rnn-topologies[plots]"'
        ) from error
    figure = Figure(layout="constrained", **options)
    endings = FigureCanvasAgg(figure).get_supported_filetypes()
    if path.suffix.removeprefix(".") not in endings:
        raise UserError(
            f"{flag} {path}: expected a name ending in .png, .svg or .pdf"
        )
    return figure


def save(figure: Any, path: Path) -> None:
    """Writes a figure, whole or not at all.

    Raises:
        UserError: if it cannot be written.
    """
    with atomic.write(path) as partial:
        figure.savefig(partial, dpi=120)


def escape(text: str) -> str:
    """Returns a text that matplotlib draws as it is: $ begins no formula.

    Characters that no font has, and which its warnings would print, become
    escapes; line ends stay.
    """
    lines = map(printable, text.split("\n"))
    return "\n".join(lines).replace("$", r"\$")
