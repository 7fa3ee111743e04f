"""Computes the features of all videos of a folder, once.

    python -m PACKAGE.features --data FOLDER --encoder MobileNetV2
        --encoder-weights FILE --image-size 224 --rate 15 --to FOLDER

The new folder takes the place of the old one in training: it has the features,
and the labels of the frames that were kept. What is finished survives a kill;
the same command again computes only what is missing, or has changed.
"""

import hashlib
import json
import re
import shlex
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import keras
import numpy as np
import tensorflow as tf

from common import cli
from common.data import skipped
from common.data.feature_store import FeatureFolder, Times, stamp
from common.errors import UserError
from common.media import videos

from . import encoder as encoders
from . import layout
from .config import Config

BATCH_FRAMES = 32
# Frames in a part: what a kill costs at most.
PART_FRAMES = 4096

# From frames <uint8>[batch, size, size, 3] to <float16>[batch, features].
Encode = Callable[[np.ndarray], np.ndarray]


def cache_folder(config: Config) -> Path:
    """Where the features of a data set are kept, whatever run needs them.

    Raises:
        UserError: if the encoder's file of weights is missing.
    """
    name = re.sub(r"\W+", "-", Path(config.data).resolve().name)
    signature = json.dumps(encoders.signature(config)).encode()
    digest = hashlib.blake2b(signature, digest_size=4).hexdigest()
    return Path("features") / f"{name}-{config.encoder}-{digest}"


def computed(
    files: dict[str, Path],
    config: Config,
    folder: FeatureFolder,
    left_out: skipped.Skipped,
    batch_size: int = BATCH_FRAMES,
) -> Iterator[str]:
    """Yields the name of each video as soon as its features are there.

    Args:
        files: the videos and folders of frame pictures, by name.
        config: its encoder, the encoder's weights, the size and rate of
            frames.
        folder: where the features are, and are written; what it has of other
            videos stays.
        left_out: notes the videos that cannot be read.
        batch_size: how many frames the encoder sees at one time.

    Raises:
        UserError: if no video can be read.
    """
    _check_encoder(config)
    stamps = {name: stamp(source) for name, source in files.items()}
    missing = {x for x in files if not folder.has(x, stamps[x])}
    reused = len(files) - len(missing)
    print(f"{folder.path}: {reused} videos reused, {len(missing)} to compute")
    encode = _encode(config) if missing else None
    num_done = 0
    for number, (name, source) in enumerate(files.items(), 1):
        if encode and name in missing:
            progress = _Progress(f"{number} of {len(files)}: {name}")
            clips = _clips(source, config, batch_size, progress)
            try:
                _compute_one(name, stamps[name], clips, encode, folder)
            except _BrokenVideoError as error:
                left_out.add(str(error), name)
                continue
            progress.end()
        num_done += 1
        yield name
    if files and not num_done:
        raise UserError(
            f"none of {len(files)} videos can be read, such as"
            f" {next(iter(files.values()))}: {next(iter(left_out.counts))}"
        )


def _check_encoder(config: Config) -> None:
    if encoders.is_trained(config):
        raise UserError(
            f"--encoder {config.encoder} is trained with the recurrence and"
            " has no features before: name a network of keras.applications"
        )


def _encode(config: Config) -> Encode:
    keras.utils.set_random_seed(config.seed)  # For weights "none".
    encoder = encoders.build(config)
    size = config.image_size
    specs = [tf.TensorSpec([None, size, size, 3], tf.uint8)]
    function = tf.function(encoder, input_signature=specs)
    return lambda pixels: function(pixels).numpy().astype(np.float16)


class _BrokenVideoError(Exception):
    """Says what is wrong, in place of an error that would end everything."""


def _clips(
    source: Path, config: Config, chunk: int, progress: "_Progress"
) -> Iterator[videos.Clip]:
    try:
        progress.length = videos.seconds(source, config.rate)
        for clip in videos.stream(
            source, config.image_size, config.rate, chunk
        ):
            yield clip
            progress.show(len(clip.times), clip.times[-1])
    except UserError as error:
        reason = str(error).removeprefix(f"{source}: ")
        raise _BrokenVideoError(reason) from error


def _compute_one(
    name: str,
    stamp: str,
    clips: Iterator[videos.Clip],
    encode: Encode,
    folder: FeatureFolder,
) -> None:
    """Computes a video, in parts of few frames, however long it is."""
    done = folder.start(name, stamp)
    seen = total = 0
    rows: list[np.ndarray] = []
    numbers, times = [], []
    for clip in clips:
        numbers.append(clip.numbers)
        times.append(clip.times)
        total = clip.total
        new = clip.pixels[max(0, done - seen) :]
        seen += len(clip.pixels)
        if len(new):
            rows.append(encode(new))
        if sum(len(values) for values in rows) >= PART_FRAMES:
            folder.add_part(name, np.concatenate(rows))
            rows = []
    if rows:
        folder.add_part(name, np.concatenate(rows))
    kept = Times(np.concatenate(numbers), np.concatenate(times), total)
    folder.finish(name, stamp, kept)


class _Progress:
    """A line that changes on a terminal, a line for some parts elsewhere."""

    def __init__(self, title: str) -> None:
        self.title = title
        self.length = 0.0
        self.frames = 0
        self.start = time.monotonic()
        self.told = self.start

    def show(self, num_frames: int, at: float) -> None:
        """Tells of further frames, the last at so many seconds."""
        self.frames += num_frames
        now = time.monotonic()
        is_terminal = sys.stdout.isatty()
        if now - self.told < (0.2 if is_terminal else 60.0):
            return
        self.told = now
        of = f" of {self.length:.0f}" if self.length else ""
        self._print(f"at {at:.0f}{of} s", "\r" if is_terminal else "\n")

    def end(self) -> None:
        """Tells that the video is finished."""
        self._print(f"{time.monotonic() - self.start:.1f} s", "\n")

    def _print(self, text: str, end: str) -> None:
        line = f"{self.title}, {self.frames} frames, {text}"
        if sys.stdout.isatty():
            line = "\x1b[K" + line  # Clears what was there.
        print(line, end=end, flush=True)


def main() -> None:
    """Reads the command line, computes, and tells what was left out."""
    options = vars(_parser().parse_args())
    to = Path(options.pop("to"))
    config = Config(**options)
    given = layout.read(config)
    layout.check_target(Path(config.data), to)
    folder = FeatureFolder(to, encoders.signature(config))
    files = {x.name: Path(str(x.source)) for x in given.examples.values()}
    tags: set[str] = set()
    done = computed(files, config, folder, given.skipped, config.batch_size)
    for name in done:
        times = folder.times(name)
        tags |= layout.write_labels(given.examples[name], times, config, to)
    layout.write_lists(given, tags, config, to)
    for line in skipped.format_report(given.skipped.report()):
        print(line)
    print(f"{to}: {len(folder.stamps)} videos")
    if given.splits:
        print(f"to train: {_next_command(config, to)}")


def _next_command(config: Config, to: Path) -> str:
    """Trains on the features, with the encoder, so that videos can be tagged.

    Without the encoder's options the model would know features only.
    """
    changed = {
        "--rate": f"{config.rate:g}" if config.rate else "",
        "--encoder-weights": config.encoder_weights,
        "--seed": str(config.seed) if config.seed else "",
        "--multi-label": None if config.multi_label else "",
    }
    if config.encoder_weights == Config().encoder_weights:
        changed["--encoder-weights"] = ""
    words = ["python", "-m", f"{__package__}.train", "--data", str(to)]
    words += ["--encoder", config.encoder]
    words += ["--image-size", str(config.image_size)]
    for flag, value in changed.items():
        if value != "":
            words += [flag, value] if value else [flag]
    return shlex.join(words)


def _parser() -> cli.Parser:
    default = Config(encoder="MobileNetV2", image_size=224)
    parser = cli.Parser(f"{__package__}.features", __doc__ or "")
    add = parser.add_argument
    add("--data", required=True, help="a folder of videos")
    add("--to", required=True, help="the folder to write")
    add("--encoder", default=default.encoder, help="of keras.applications")
    add("--encoder-weights", default="imagenet", help="or a file, or none")
    add("--image-size", type=int, default=default.image_size, help="in pixels")
    add("--rate", type=float, default=0.0, help="frames a second; 0 for all")
    add("--batch-size", type=int, default=BATCH_FRAMES, help="frames")
    add("--seed", type=int, default=default.seed, help="of weights none")
    choices = ["error", "crop"]
    add("--align", default="error", choices=choices, help="of labels")
    add("--multi-label", action="store_true", help="labels are sets of tags")
    add("--background", default=default.background, help="tag of no action")
    add("--encoding", default=default.encoding, help="of text files")
    return parser


if __name__ == "__main__":
    cli.main(main)
