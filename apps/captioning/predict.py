"""Captions images: `python -m PACKAGE.predict RUN a.jpg b.png`."""

import functools
import itertools
import math
import os
import sys
import textwrap
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import tensorflow as tf

from common import cli, notes, plotting
from common.characters import printable
from common.data.feature_files import Features
from common.decoding.sampling import Sampling
from common.errors import UserError
from common.media import images
from common.media.folders import expand_folders

from . import datasets
from .config import predict_parser
from .pipeline import AttentionMaps
from .predictor import BATCH_SIZE, BYTES, Caption, Predictor, load

NUM_COLUMNS = 4
INCHES = 2.4  # Of one picture's side.
LINE_LENGTH = 30  # Characters of a caption in one line.

# From some images to the captions of each.
PredictFn = Callable[[list[Any]], list[list[Caption]]]
# From the name of an image to its content, or its features.
ReadFn = Callable[[str], Any]


def read_picture(path: str) -> bytes:
    """Reads the content of a picture file.

    Raises:
        UserError: if it is missing, or no picture that can be decoded.
    """
    error = images.decode_error(path)
    if os.path.isdir(path):
        error = "no picture in this folder"
    if error:
        raise UserError(f"{path}: {error}")
    return Path(path).read_bytes()


def read_features(features: Features, name: str) -> np.ndarray:
    """Reads the features <float32>[regions, dim] of an image.

    Raises:
        UserError: if there are none of this name.
    """
    if name not in features.rows:
        raise UserError(f"{name}: no features of this name")
    return features.take(np.array([features.rows[name]]))[0]


def choose_input(
    predictor: Predictor, features: str | None
) -> tuple[PredictFn, ReadFn]:
    """Returns how to caption images, and how to read one.

    Args:
        predictor: the model.
        features: the features file of the command line, if any.

    Raises:
        UserError: if the features are not those of the model.
    """
    if not features and BYTES in predictor.predict_fns:
        return predictor.predict_bytes, read_picture
    stored = predictor.open_features(features or predictor.config.features)
    return predictor.predict_features, functools.partial(read_features, stored)


def caption_images(
    predict_fn: PredictFn, names: Iterable[str | None], read_fn: ReadFn
) -> Iterator[list[Caption] | None]:
    """Yields the captions of each image; None if it cannot be read.

    The error of an image goes to standard error, and the others go on.
    """
    names = iter(names)
    while window := list(itertools.islice(names, BATCH_SIZE)):
        contents = []
        for name in window:
            try:
                contents.append(None if name is None else read_fn(name))
            except UserError as error:
                cli.print_error(error)
                contents.append(None)
        captions = iter(predict_fn([x for x in contents if x is not None]))
        yield from (None if x is None else next(captions) for x in contents)


def format_captions(
    captions: list[Caption] | None, n_best: int, name: str = ""
) -> Iterator[str]:
    """Yields a line for each caption.

    Args:
        captions: of an image; None if it cannot be read.
        n_best: how many; 0 for the best, without its score.
        name: of the image, to stand first; "" for none.
    """
    before = f"{printable(name)}\t" if name else ""
    if captions is None:
        yield before
        return
    for text, score in captions[: max(n_best, 1)]:
        line = printable(text)
        yield f"{before}{score:.4f}\t{line}" if n_best else f"{before}{line}"


def to_json(
    name: str | None, captions: list[Caption] | None, n_best: int
) -> dict:
    """Returns an image, its caption, and all of them with their scores.

    Args:
        name: of the image; None if the line with it cannot be read.
        captions: best first; None if it cannot be read: its caption is null.
        n_best: how many; 0 for all.
    """
    rows = [
        {"caption": x.text, "score": x.score}
        for x in (captions or [])[: n_best or None]
    ]
    best = rows[0] if rows else {"caption": None, "score": None}
    return {"image": name, **best, "n_best": rows}


def plot_gallery(pictures: list[tuple[np.ndarray, str]], path: Path) -> None:
    """Draws images with their captions below.

    Args:
        pictures: pixels <float32>[height, width, 3], 0 to 255, and captions.
        path: the file to write; its ending names the format.

    Raises:
        UserError: if matplotlib is missing or knows no such format.
    """
    figure = plotting.new_figure(path, "--gallery")
    for axes, (pixels, text) in zip(
        _add_grid(figure, len(pictures)), pictures, strict=False
    ):
        axes.imshow(pixels / 255)
        axes.set_title(_wrap(text), y=-0.02, va="top", fontsize=8)
    plotting.save(figure, path)


def plot_attention(
    maps: AttentionMaps, pixels: np.ndarray | None, path: Path
) -> None:
    """Draws an image once for each word, light where attention is great.

    Args:
        maps: the words and their attention.
        pixels: <float32>[height, width, 3], 0 to 255; None if there are only
            features.
        path: the file to write; its ending names the format.

    Raises:
        UserError: if matplotlib is missing or knows no such format, or the
            regions are no square.
    """
    num_regions = maps.weights.shape[1]
    side = math.isqrt(num_regions)
    if side**2 != num_regions:
        raise UserError(
            f"--attention-plot: {num_regions} regions are no square"
        )
    figure = plotting.new_figure(path, "--attention-plot")
    for axes, word, weights in zip(
        _add_grid(figure, len(maps.words)), *maps, strict=False
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
        axes.set_title(_wrap(word), fontsize=10)
    plotting.save(figure, path)


def _add_grid(figure: Any, count: int) -> list[Any]:
    """Adds axes without frames for so many pictures, row by row."""
    num_columns = min(count, NUM_COLUMNS)
    num_rows = -(-count // NUM_COLUMNS)
    figure.set_size_inches(INCHES * num_columns, 1.2 * INCHES * num_rows)
    grid = figure.subplots(num_rows, num_columns, squeeze=False).ravel()
    for axes in grid:
        axes.set_axis_off()
    return list(grid)


def _wrap(text: str) -> str:
    return plotting.escape(textwrap.fill(text, LINE_LENGTH))


def _check_n_best(predictor: Predictor, args: Any) -> None:
    one_only = args.sample or predictor.model is None
    most = 1 if one_only else args.beam or predictor.config.beam
    if args.n_best > most:
        raise UserError(
            f"--n-best {args.n_best}: more than the {most} that are found;"
            " use the run folder with a greater --beam, without --sample"
        )


def _plot_first(predictor: Predictor, read_fn: ReadFn, args: Any) -> None:
    """Draws the attention to the first image of the command line."""
    model = predictor.require_model("--attention-plot")
    if model.config.decoder != "attention":
        raise UserError(
            "--attention-plot: this model was trained without attention"
        )
    image, pixels = tf.constant([read_fn(args.inputs[0])]), None
    if read_fn is read_picture:
        image, _ = model.decode_pictures(image)
        pixels = image[0].numpy()
    maps = model.attention_maps(image, args.beam)
    plot_attention(maps, pixels, Path(args.attention_plot))


def main() -> None:
    """Prints a line for each image: its caption, of several with the name."""
    parser = predict_parser()
    args = parser.parse_intermixed_args()
    cli.choose_inputs(parser, args, "images")
    if (args.attention_plot or args.gallery) and not args.inputs:
        parser.error("a plot needs images as arguments")
    sampling = Sampling(args.seed, args.temperature, args.top_k, args.top_p)
    predictor = load(args.run, args.beam, sampling if args.sample else None)
    _check_n_best(predictor, args)
    predict_fn, read_fn = choose_input(predictor, args.features)
    if args.gallery and read_fn is not read_picture:
        raise UserError("--gallery needs pictures: features cannot be shown")
    # A caption alone where there is one image, as scripts expect it.
    is_one = len(args.inputs) == 1 and not args.file
    if read_fn is read_picture:
        inputs = expand_folders(args.inputs, datasets.list_images)
        is_one = is_one and inputs == args.inputs
        args.inputs = inputs
    if args.attention_plot:
        _plot_first(predictor, read_fn, args)
    names = cli.read_inputs(args.inputs, args.file, args.encoding)
    if read_fn is read_picture:
        names = notes.print_notes(names, predictor.describe_inputs)
    names, asked = itertools.tee(names)
    best: list[str | None] = []
    for captions in caption_images(predict_fn, asked, read_fn):
        name = next(names)
        if args.json:
            cli.print_json(to_json(name, captions, args.n_best))
        else:
            shown = "" if is_one or not name else name
            for line in format_captions(captions, args.n_best, shown):
                print(line)
        best.append(captions[0].text if captions else None)
    pictures = [
        (images.load_image(Path(path)), text)
        for path, text in zip(args.inputs, best, strict=False)
        if args.gallery and text is not None
    ]
    if pictures:
        plot_gallery(pictures, Path(args.gallery))
    if None in best:
        sys.exit(2)


if __name__ == "__main__":
    cli.main(main)
