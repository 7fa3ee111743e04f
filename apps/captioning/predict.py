"""Captions images: `python -m PACKAGE.predict RUN a.jpg b.png`."""

import functools
import itertools
import sys
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import tensorflow as tf

from common import cli
from common.data import feature_files, text_files
from common.decoding.sampling import Sampling
from common.errors import UserError
from common.media import images

from . import plots
from .predictor import (
    BATCH_SIZE,
    Answer,
    Caption,
    Predictor,
    collect,
    draws,
    load,
    model_of,
)


def inputs(arguments: list[str], file: str, encoding: str) -> Iterator[str]:
    """The images of the command line, then those of the file, one a line."""
    yield from arguments
    if file:
        path = None if file == "-" else Path(file)
        yield from text_files.read_lines_leniently(path, encoding)


def read_picture(path: str) -> bytes:
    """The content of a picture file.

    Raises:
        UserError: if it is missing, or no picture that can be decoded.
    """
    problem = images.decode_error(path)
    if problem:
        raise UserError(f"{path}: {problem}")
    return Path(path).read_bytes()


def read_features(given: feature_files.Features, name: str) -> np.ndarray:
    """The features <float32>[regions, dim] of an image.

    Raises:
        UserError: if there are none of this name.
    """
    if name not in given.rows:
        raise UserError(f"{name}: no features of this name")
    return given.take(np.array([given.rows[name]]))[0]


def captions(
    answer: Answer, names: Iterable[str], read: Callable[[str], Any]
) -> Iterator[list[Caption] | None]:
    """Yields the captions of each image; None if it cannot be read.

    What is wrong with an image goes to standard error, and the others go on.
    """
    names = iter(names)
    while window := list(itertools.islice(names, BATCH_SIZE)):
        views = []
        for name in window:
            try:
                views.append(read(name))
            except UserError as error:
                print(f"error: {error}", file=sys.stderr)
                views.append(None)
        readable = [view for view in views if view is not None]
        # As a list: NumPy would cut zeros off the end of byte strings.
        some = [tf.constant(readable)] if readable else []
        found = iter(collect(answer, some))
        yield from (None if view is None else next(found) for view in views)


def show(found: list[Caption] | None, n_best: int) -> Iterator[str]:
    """One line for each caption; with n-best, its score before it."""
    if found is None:
        yield ""
        return
    for caption in found[: max(n_best, 1)]:
        line = caption.text
        yield f"{caption.score:.4f}\t{line}" if n_best else line


def _parser() -> cli.Parser:
    parser = cli.Parser(f"{__package__}.predict", __doc__ or "")
    add = parser.add_argument
    add("run", help="a run folder or an exported SavedModel")
    add("image", nargs="*", help="picture files; with --features, their names")
    add("--file", default="", help="a file of one image a line; - for stdin")
    add("--encoding", default="utf-8", help="the file's text encoding")
    add("--features", help="a features file, in place of the pictures")
    add("--beam", type=int, help="in place of the one of training")
    add(
        "--n-best",
        type=int,
        default=0,
        help="so many captions of each image, with their scores",
    )
    add("--attention-plot", default="", help="a picture, .png, of one image")
    add("--gallery", default="", help="a picture, .png, of images and captions")
    add("--sample", action="store_true", help="draw instead of searching")
    add("--temperature", type=float, default=1.0, help="of drawing, above 0")
    add("--top-k", type=int, default=0, help="draw of the k likeliest only")
    add("--top-p", type=float, default=1.0, help="draw of the likeliest only")
    add("--seed", type=int, default=0, help="of drawing")
    return parser


def _arguments() -> Any:
    parser = _parser()
    args = parser.parse_intermixed_args()
    if not args.image and not args.file:
        parser.error("give images, or --file FILE (- for standard input)")
    if (args.attention_plot or args.gallery) and not args.image:
        parser.error("a plot needs images as arguments")
    if args.n_best < 0:
        parser.error(f"--n-best must be 0 or more, got {args.n_best}")
    if args.temperature <= 0:
        parser.error(f"--temperature must be above 0, got {args.temperature}")
    if args.top_k < 0:
        parser.error(f"--top-k must be 0 or more, got {args.top_k}")
    if not 0 < args.top_p <= 1:
        parser.error(f"--top-p must be above 0 and at most 1, got {args.top_p}")
    return args


def _check_n_best(predictor: Predictor, args: Any) -> None:
    one_only = args.sample or predictor.model is None
    most = 1 if one_only else args.beam or predictor.config.beam
    if args.n_best > most:
        raise UserError(
            f"--n-best {args.n_best}: more than the {most} that are found;"
            " use the run folder with a greater --beam, without --sample"
        )


def _reader(
    predictor: Predictor, args: Any
) -> tuple[Answer, Callable[[str], Any]]:
    """How to answer to what the arguments name, and how to read it."""
    if not args.features and predictor.of_content is not None:
        return predictor.of_content, read_picture
    path = args.features or predictor.config.features
    given = predictor.open_features(path)
    assert predictor.of_encoded is not None
    return predictor.of_encoded, functools.partial(read_features, given)


def _plot(predictor: Predictor, args: Any) -> None:
    model = model_of(predictor, "--attention-plot")
    if model.config.decoder != "attention":
        raise UserError(
            "--attention-plot: this model was trained without attention"
        )
    answer, read = _reader(predictor, args)
    image = tf.constant([read(args.image[0])])
    is_picture = answer is predictor.of_content
    if is_picture:
        image, _ = model.pixels(image)
    plots.attention(
        model.looks(image, args.beam),
        image[0].numpy() if is_picture else None,
        Path(args.attention_plot),
    )


def main() -> None:
    """Reads the command line and prints the captions of each image."""
    args = _arguments()
    predictor = load(args.run, args.beam)
    _check_n_best(predictor, args)
    if args.attention_plot:
        _plot(predictor, args)
    if args.sample:
        sampling = Sampling(args.seed, args.temperature, args.top_k, args.top_p)
        predictor = draws(predictor, sampling)
    names = inputs(args.image, args.file, args.encoding)
    answer, read = _reader(predictor, args)
    if args.gallery and read is not read_picture:
        raise UserError("--gallery needs pictures: features cannot be shown")
    best = []
    num_missing = 0
    for found in captions(answer, names, read):
        num_missing += found is None
        for line in show(found, args.n_best):
            print(line)
        best.append(found[0].text if found else None)
    if args.gallery:
        _gallery(args, best)
    if num_missing:
        sys.exit(2)


def _gallery(args: Any, best: list[str | None]) -> None:
    chosen = [
        (images.load_image(Path(path)), text)
        for path, text in zip(args.image, best, strict=False)
        if text is not None
    ]
    if chosen:
        plots.gallery(chosen, Path(args.gallery))


if __name__ == "__main__":
    cli.main(main)
