"""The history of a run as a table, TensorBoard events and a picture."""

import csv
import io
from pathlib import Path

import tensorflow as tf

from common import atomic, errors

PREFIX = "val_"


def write_table(path: Path, history: list[dict]) -> None:
    """Writes one row for each epoch, as CSV."""
    table = io.StringIO()
    writer = csv.DictWriter(table, history[-1], lineterminator="\n")
    writer.writeheader()
    writer.writerows(history)
    atomic.write_text(path, table.getvalue())


def write_events(folder: Path, row: dict) -> None:
    """Appends an epoch to the TensorBoard events of a folder.

    Raises:
        UserError: if the disk refuses.
    """
    # Not `tf.summary.scalar`, which needs the tensorboard package to write
    # what anybody may want to view on another machine.
    kind = tf.compat.v1.SummaryMetadata(data_class="DATA_CLASS_SCALAR")
    kind.plugin_data.plugin_name = "scalars"
    with errors.tell_system_errors(f"{folder}: cannot write events"):
        writer = tf.summary.create_file_writer(str(folder))
        with writer.as_default(step=row["epoch"]):
            for name, value in row.items():
                if name != "epoch":
                    scalar = tf.constant(value, tf.float32)
                    tf.summary.write(name, scalar, metadata=kind)
        writer.close()


def draw_curves(path: Path, history: list[dict]) -> None:
    """Draws each validation metric over the epochs, if matplotlib is there."""
    try:
        from matplotlib.backends.backend_agg import FigureCanvasAgg
        from matplotlib.figure import Figure
    except ImportError:
        return  # The picture is a comfort; log.csv has the numbers.
    names = [n.removeprefix(PREFIX) for n in history[0] if n.startswith(PREFIX)]
    figure = Figure(figsize=(4.5 * len(names), 3.5), layout="constrained")
    FigureCanvasAgg(figure)
    epochs = [row["epoch"] for row in history]
    for axes, name in zip(
        figure.subplots(1, len(names), squeeze=False)[0], names, strict=True
    ):
        for column, label in ((name, "train"), (PREFIX + name, "valid")):
            if column in history[0]:
                values = [row[column] for row in history]
                axes.plot(epochs, values, "o-", label=label)
        axes.set(xlabel="epoch", title=name, xticks=epochs)
        axes.legend()
    with atomic.write(path) as partial:
        figure.savefig(partial)
