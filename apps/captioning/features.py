"""Computes the features of all pictures of a folder, once.

    python -m PACKAGE.features --data FOLDER --encoder MobileNetV2
        --encoder-weights FILE --image-size 224 --to FILE.npz

What is finished survives a kill, in FILE.npz.parts; the same command again
computes only what is missing, or has changed.
"""

import contextlib
import itertools
import shutil
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import keras
import numpy as np
import tensorflow as tf

from common import cli
from common.data import feature_files, skipped
from common.errors import UserError

from . import datasets, images
from . import encoder as encoders
from .config import Config

# Batches in a part: what a kill costs at most.
PART_BATCHES = 8

# What is known of a picture: its stamp and features <float16>[regions, dim].
Row = tuple[str, np.ndarray]


def find(folder: Path) -> dict[str, Path]:
    """All picture files below a folder, or below its `images`, by their name.

    Raises:
        UserError: if there are none, or two of one name.
    """
    if not folder.is_dir():
        raise UserError(f"--data {folder}: no such folder")
    found = datasets.find_images(folder, datasets.is_image)
    files = {
        name: Path(path)
        for name, path in found.items()
        if datasets.is_image(name)
    }
    if not files:
        raise UserError(
            f"--data {folder}: no picture below it; expected files that end in"
            f" {', '.join(datasets.IMAGE_ENDINGS)}"
        )
    return files


def compute(
    files: dict[str, Path], config: Config, to: Path
) -> tuple[feature_files.Features, skipped.Skipped]:
    """Computes what `to` does not have yet, and completes it.

    Args:
        files: the pictures, by name.
        config: its encoder, the encoder's weights, the size of pictures.
        to: the file of features; what it has of other pictures stays.

    Returns:
        The content of the file, and which pictures could not be read.

    Raises:
        UserError: if `to` is of another encoder, or no picture can be read.
    """
    if config.encoder == encoders.CNN:
        raise UserError(
            f"--encoder {encoders.CNN} is trained with the decoder and has no"
            " features before: name a network of keras.applications"
        )
    signature = encoders.signature(config)
    parts = to.with_name(to.name + ".parts")
    stamps = {name: _stamp(path) for name, path in files.items()}
    known = _known(to, parts, signature)
    missing = {
        name: path
        for name, path in files.items()
        if name not in known or known[name][0] != stamps[name]
    }
    reused = len(files) - len(missing)
    print(f"{to}: {reused} pictures reused, {len(missing)} to compute")
    if missing:
        for name in missing:
            known.pop(name, None)
        for part in _computed(missing, stamps, config):
            _save_part(parts, part, signature)
            known |= part
    left_out = skipped.Skipped()
    for name, path in missing.items():
        if name not in known:
            reason = images.problem(path) or "could not be read before"
            left_out.add(reason, name)
    return _finish(to, parts, files, known, signature), left_out


def _stamp(path: Path) -> str:
    with contextlib.suppress(OSError):
        status = path.stat()
        return f"{status.st_size} {status.st_mtime_ns}"
    return ""


def _known(to: Path, parts: Path, signature: dict) -> dict[str, Row]:
    """The rows of the file and of the parts beside it."""
    known: dict[str, Row] = {}
    for path in [to, *sorted(parts.glob("*.npz"))]:
        if not path.exists():
            continue
        features = feature_files.load(path)
        if features.encoder != signature:
            raise UserError(
                f"{path}: features of {_described(features.encoder)}, not of"
                f" {_described(signature)}; remove it, or choose another --to"
            )
        stamps = features.stamps or [""] * len(features.names)
        rows = zip(stamps, features.values, strict=True)
        known |= dict(zip(features.names, rows, strict=True))
    return known


def _described(encoder: dict | None) -> str:
    if encoder is None:
        return "an unknown encoder"
    return ", ".join(f"{name} {value}" for name, value in encoder.items())


def _computed(
    files: dict[str, Path], stamps: dict[str, str], config: Config
) -> Iterator[dict[str, Row]]:
    """Yields the features part by part."""
    keras.utils.set_random_seed(config.seed)  # For weights "none".
    encoder = encoders.build(config)
    encode = tf.function(encoder, reduce_retracing=True)
    names = list(files)
    progress = _Progress(len(names))
    batches = iter(_batches(list(files.values()), config))
    while group := list(itertools.islice(batches, PART_BATCHES)):
        part: dict[str, Row] = {}
        for numbers, pixels in group:
            values = encode(pixels).numpy().astype(np.float16)
            for number, row in zip(numbers.numpy(), values, strict=True):
                part[names[number]] = stamps[names[number]], row
        yield part
        progress.show(int(group[-1][0][-1]) + 1)


def _batches(paths: list[Path], config: Config) -> tf.data.Dataset:
    """Numbers <int64>[batch] and pixels of the pictures that can be read."""
    dataset = tf.data.Dataset.from_tensor_slices([str(path) for path in paths])

    def read(number: tf.Tensor, path: tf.Tensor) -> tuple:
        return number, images.pixels(tf.io.read_file(path), config.image_size)

    return (
        dataset.enumerate()
        .map(read, num_parallel_calls=tf.data.AUTOTUNE)
        .ignore_errors()
        .batch(config.batch_size)
        .prefetch(2)
    )


def _save_part(parts: Path, part: dict[str, Row], signature: dict) -> None:
    number = len(list(parts.glob("*.npz")))
    path = parts / f"{number:06}.npz"
    feature_files.save(path, _features(part, signature))


def _features(rows: dict[str, Row], signature: dict) -> feature_files.Features:
    values = np.stack([values for _, values in rows.values()])
    return feature_files.Features(
        list(rows),
        values,
        encoder=signature,
        stamps=[stamp for stamp, _ in rows.values()],
    )


def _finish(
    to: Path,
    parts: Path,
    files: dict[str, Path],
    known: dict[str, Row],
    signature: dict,
) -> feature_files.Features:
    if not any(name in known for name in files):
        raise UserError(
            f"{next(iter(files.values())).parent}: none of {len(files)}"
            " pictures can be read; expected JPEG, PNG, GIF or BMP"
        )
    # In the order of the pictures, however often the work was interrupted.
    order = [*(name for name in files if name in known), *known]
    features = _features({name: known[name] for name in order}, signature)
    feature_files.save(to, features)
    shutil.rmtree(parts, ignore_errors=True)
    return features


class _Progress:
    """A bar on a terminal, a line for each part elsewhere."""

    def __init__(self, total: int) -> None:
        self.total = total
        self.start = time.monotonic()
        self.bar = keras.utils.Progbar(total, unit_name="image")

    def show(self, done: int) -> None:
        """Tells that so many are done."""
        if sys.stdout.isatty():
            self.bar.update(done)
            return
        seconds = time.monotonic() - self.start
        print(f"{done} of {self.total}, {seconds:.0f} s", flush=True)


def main() -> None:
    """Reads the command line, computes, and tells what was left out."""
    default = Config(encoder="MobileNetV2", image_size=224)
    parser = cli.Parser(f"{__package__}.features", __doc__ or "")
    add = parser.add_argument
    add("--data", required=True, help="a folder of pictures")
    add("--to", required=True, help="the file to write, .npz")
    add("--encoder", default=default.encoder, help="of keras.applications")
    add("--encoder-weights", default="imagenet", help="or a file, or none")
    add("--image-size", type=int, default=default.image_size, help="in pixels")
    add("--pooled", action="store_true", help="one vector of each picture")
    add("--batch-size", type=int, default=default.batch_size, help="pictures")
    args = parser.parse_args()
    config = Config(
        data=args.data,
        encoder=args.encoder,
        encoder_weights=args.encoder_weights,
        image_size=args.image_size,
        pooled=args.pooled,
        batch_size=args.batch_size,
        decoder="first_input",  # The one that takes grid and vector.
    )
    to = Path(args.to)
    if to.suffix != ".npz":
        raise UserError(f"--to {to}: expected a file that ends in .npz")
    features, left_out = compute(find(Path(args.data)), config, to)
    for line in skipped.format_report(left_out.report()):
        print(line)
    print(
        f"{to}: {len(features.names)} pictures, {features.regions} regions of"
        f" {features.dim} features; {left_out.counts.total()} left out"
    )


if __name__ == "__main__":
    cli.main(main)
