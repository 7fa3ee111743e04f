"""Features of pictures and videos, computed by an encoder once and for all.

A killed computation continues where it stopped: only what is missing, or has
changed, is computed. What cannot be read is skipped.
"""

import itertools
import os
import sys
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path

import keras
import numpy as np
import tensorflow as tf

from common.characters import printable
from common.data import feature_cache
from common.data.feature_files import FeatureFile, Features
from common.data.feature_store import FeatureFolder, Times
from common.data.skipped import Skipped
from common.errors import UserError
from common.media import images, videos

# What is computed between two writings: what a kill costs at most.
PART_BATCHES = 8  # Of pictures.
PART_FRAMES = 4096  # Of a video.
BATCH_FRAMES = 32

# From pixels [batch, size, size, 3] to features [batch, ...].
Encoder = Callable[[tf.Tensor], tf.Tensor]
# The same, compiled; of <float16>.
Encode = Callable[[np.ndarray | tf.Tensor], np.ndarray]


def extract_images(
    files: Mapping[str, Path],
    build_encoder: Callable[[], Encoder],
    store: FeatureFile,
    skipped: Skipped,
    *,
    size: int,
    batch_size: int,
    seed: int = 0,
) -> Features:
    """Computes the features of pictures that a file of features lacks.

    Args:
        files: the pictures, by name.
        build_encoder: builds the encoder of <float32>[batch, size, size, 3];
            it is not called if nothing is missing.
        store: the file of features; what it has of other pictures stays.
        skipped: notes the pictures that cannot be decoded.
        size: height and width that pictures are squeezed to.
        batch_size: pictures that the encoder gets at one time.
        seed: of weights that the encoder draws.

    Returns:
        The content of the file.

    Raises:
        UserError: if no picture can be decoded.
    """
    missing = _find_missing(files, store, "pictures")
    if missing:
        store.drop(missing)
        # Reading a pipe would wait for ever; below it is told.
        paths = {x: files[x] for x in missing if files[x].is_file()}
        encode = _compile(build_encoder, seed, size, tf.float32)
        for part in _encode_images(paths, encode, size, batch_size):
            store.add_part({x: (missing[x], row) for x, row in part.items()})
    broken = {
        name: images.decode_error(files[name]) or "could not be read before"
        for name, stamp in missing.items()
        if not store.has(name, stamp)
    }
    for name, reason in broken.items():
        skipped.add(reason, name)
    _check_some_readable(files, broken, "pictures")
    features = store.finish(files)
    _note_if_equal(features.values, "pictures")
    return features


def extract_videos(
    files: Mapping[str, Path],
    build_encoder: Callable[[], Encoder],
    store: FeatureFolder,
    skipped: Skipped,
    *,
    size: int,
    frame_rate: float,
    batch_size: int = BATCH_FRAMES,
    seed: int = 0,
) -> Iterator[str]:
    """Computes the features of videos that a folder of features lacks.

    Args:
        files: the videos and folders of frame pictures, by name.
        build_encoder: builds the encoder of <uint8>[batch, size, size, 3];
            it is not called if nothing is missing.
        store: the folder of features; what it has of other videos stays.
        skipped: notes the videos that cannot be read.
        size: height and width of the frames.
        frame_rate: frames a second, as of `videos.stream_clips`.
        batch_size: frames that the encoder gets at one time.
        seed: of weights that the encoder draws.

    Yields:
        The name of each video, as soon as its features are there.

    Raises:
        UserError: if no video can be read.
    """
    missing = _find_missing(files, store, "videos")
    if missing:
        encode = _compile(build_encoder, seed, size, tf.uint8)
    broken: dict[str, str] = {}
    for number, (name, path) in enumerate(files.items(), 1):
        if name in missing:
            progress = _Progress(f"{number} of {len(files)}: {name}")
            clips = _read_clips(path, size, frame_rate, batch_size, progress)
            try:
                _extract_video(name, missing[name], clips, encode, store)
            except _BrokenVideoError as error:
                broken[name] = str(error)
                skipped.add(broken[name], name)
                continue
        yield name
    _check_some_readable(files, broken, "videos")


def _compile(
    build_encoder: Callable[[], Encoder], seed: int, size: int, dtype: tf.DType
) -> Encode:
    """Builds and compiles an encoder, once for batches of all sizes."""
    keras.utils.set_random_seed(seed)
    specs = [tf.TensorSpec([None, size, size, 3], dtype)]
    function = tf.function(build_encoder(), input_signature=specs)
    return lambda pixels: function(pixels).numpy().astype(np.float16)


def _find_missing(
    files: Mapping[str, Path], store: FeatureFile | FeatureFolder, kind: str
) -> dict[str, str]:
    """Returns the stamps of the files without features, by name."""
    stamps = {
        name: feature_cache.make_stamp(path) for name, path in files.items()
    }
    missing = {
        name: stamp
        for name, stamp in stamps.items()
        if not store.has(name, stamp)
    }
    num_reused = len(files) - len(missing)
    print(
        f"{printable(store.path)}: {num_reused} {kind} reused,"
        f" {len(missing)} to compute"
    )
    return missing


def _check_some_readable(
    files: Mapping[str, Path], broken: Mapping[str, str], kind: str
) -> None:
    if len(broken) == len(files):
        name, reason = next(iter(broken.items()), ("", ""))
        example = f", such as {files[name]}: {reason}" if name else ""
        raise UserError(f"none of {len(files)} {kind} can be read{example}")


def _note_if_equal(features: np.ndarray, things: str) -> None:
    """Notes on standard error that features tell nothing apart."""
    if len(features) > 1 and (features == features[:1]).all():
        print(
            f"note: the features of all {len(features)} {printable(things)} are"
            " equal: the encoder tells them not apart; try"
            " --encoder-weights imagenet, another --encoder or --image-size",
            file=sys.stderr,
        )


def _encode_images(
    paths: dict[str, Path], encode: Encode, size: int, batch_size: int
) -> Iterator[dict[str, np.ndarray]]:
    """Yields features <float16>[regions, dim] by name, part by part."""
    names = list(paths)
    progress = _Progress("pictures")
    batches = iter(_decode_images(paths.values(), size, batch_size))
    while group := list(itertools.islice(batches, PART_BATCHES)):
        part: dict[str, np.ndarray] = {}
        for numbers, pixels in group:
            rows = zip(numbers.numpy(), encode(pixels), strict=True)
            part |= {names[number]: row for number, row in rows}
        yield part
        last = int(group[-1][0][-1])
        progress.show(f"{last + 1} of {len(names)}")
    progress.end(f"{len(names)} of {len(names)}")


def _decode_images(
    paths: Iterable[Path], size: int, batch_size: int
) -> tf.data.Dataset:
    """Makes numbers <int64>[batch] and pixels of the pictures it can decode."""

    def decode(number: tf.Tensor, path: tf.Tensor) -> tuple:
        return number, images.decode_image(tf.io.read_file(path), size)

    names = [os.fsencode(path) for path in paths]  # Not all are UTF-8.
    return (
        tf.data.Dataset.from_tensor_slices(names)
        .enumerate()
        .map(decode, num_parallel_calls=tf.data.AUTOTUNE)
        .ignore_errors()
        .batch(batch_size)
        .prefetch(2)
    )


class _BrokenVideoError(Exception):
    """A video that cannot be read, while other errors end everything."""


def _read_clips(
    path: Path,
    size: int,
    frame_rate: float,
    batch_size: int,
    progress: "_Progress",
) -> Iterator[videos.Clip]:
    """Reads a video, and shows the progress."""
    num_frames = 0
    try:
        length = videos.duration(path, frame_rate)
        of_length = f" of {length:.0f}" if length else ""
        for clip in videos.stream_clips(path, size, frame_rate, batch_size):
            yield clip
            num_frames += len(clip.times)
            at = f"at {clip.times[-1]:.0f}{of_length} s"
            progress.show(f"{num_frames} frames, {at}")
    except UserError as error:
        reason = str(error).removeprefix(f"{path}: ")
        raise _BrokenVideoError(reason) from error
    progress.end(f"{num_frames} frames")


def _extract_video(
    name: str,
    stamp: str,
    clips: Iterable[videos.Clip],
    encode: Encode,
    store: FeatureFolder,
) -> None:
    """Computes a video, in parts of few frames, however long it is."""
    num_done = store.start(name, stamp)
    num_read = 0
    rows: list[np.ndarray] = []
    bare: list[videos.Clip] = []  # The clips without their frames.
    for clip in clips:
        bare.append(clip._replace(values=clip.values[:0]))
        new = clip.values[max(0, num_done - num_read) :]
        num_read += len(clip.values)
        if len(new):
            rows.append(encode(new))
            if not num_done and len(bare) == 1:
                _note_if_equal(rows[0], f"frames of {name}")
        if sum(map(len, rows)) >= PART_FRAMES:
            store.add_part(name, np.concatenate(rows))
            rows = []
    if rows:
        store.add_part(name, np.concatenate(rows))
    _, numbers, times, total = videos.join_clips(bare)
    store.finish(name, stamp, Times(numbers, times, total))


class _Progress:
    """A line that changes on a terminal; elsewhere, a line each minute."""

    def __init__(self, title: str) -> None:
        self._title = printable(title)
        self._start = self._shown = time.monotonic()

    def show(self, text: str) -> None:
        """Shows how much is done, unless that was shown just now."""
        now = time.monotonic()
        is_terminal = sys.stdout.isatty()
        if now - self._shown >= (0.2 if is_terminal else 60.0):
            self._shown = now
            self._print(text, "\r" if is_terminal else "\n")

    def end(self, text: str) -> None:
        """Shows what is done, and how long it took."""
        seconds = time.monotonic() - self._start
        self._print(f"{text}, {seconds:.1f} s", "\n")

    def _print(self, text: str, end: str) -> None:
        line = f"{self._title}, {text}"
        if sys.stdout.isatty():
            line = "\x1b[K" + line  # Clears what was there.
        print(line, end=end, flush=True)
