"""Computes the features of all videos of a folder, once.

    python -m PACKAGE.features --data FOLDER --encoder MobileNetV2
        --encoder-weights FILE --image-size 224 --rate 15 --to FOLDER

The new folder takes the place of the old one in training. What is finished
survives a kill; the same command again computes only what is missing, or has
changed. Beside the features, the folder has:

groundTruth/NAME.txt    a line for each frame that was kept
mapping.txt             all tags, with numbers
splits/*.bundle         which videos to train and to test with
"""

import shlex
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from common import atomic, cli
from common.data import feature_cache, text_files
from common.data.feature_store import INDEX, FeatureFolder, Times
from common.data.skipped import Skipped, format_report
from common.errors import UserError
from common.media import extraction, videos

from . import datasets
from . import encoder as encoders
from .config import Config
from .datasets import annotations, annotations_csv, folders, mstcn


def open_cache(config: Config) -> FeatureFolder:
    """Opens the features of a data set, which all runs share.

    Raises:
        UserError: if the encoder's file of weights is missing.
    """
    signature = encoders.signature(config)
    path = feature_cache.cache_path(config.data, config.encoder, signature)
    return FeatureFolder(path, signature)


def compute(
    files: dict[str, Path],
    config: Config,
    folder: FeatureFolder,
    skipped: Skipped,
    batch_size: int = extraction.BATCH_FRAMES,
) -> Iterator[str]:
    """Computes the features that a folder does not have yet.

    Args:
        files: the videos and folders of frame pictures, by name.
        config: its encoder, the encoder's weights, the size and rate of
            frames.
        folder: where the features are; what it has of other videos stays.
        skipped: notes the videos that cannot be read.
        batch_size: frames that the encoder gets at one time.

    Yields:
        The name of each video, as soon as its features are there.

    Raises:
        UserError: if no video can be read.
    """
    if encoders.is_trained(config):
        raise UserError(
            f"--encoder {config.encoder} is trained with the recurrence and"
            " has no features before: name a network of keras.applications"
        )

    return extraction.extract_videos(
        files,
        lambda: encoders.build(config),
        folder,
        skipped,
        size=config.image_size,
        frame_rate=config.rate,
        batch_size=batch_size,
        seed=config.seed,
    )


class VideoFolder(NamedTuple):
    """The videos of a folder, and what is written about them.

    Attributes:
        examples: the videos, by name, with what people wrote about them.
        splits: the names of each split; none if there are no labels.
        labels: all tags, if the folder lists them.
        skipped: what was left out.
    """

    examples: dict[str, datasets.Example]
    splits: dict[str, list[str]]
    labels: list[str] | None
    skipped: Skipped


def read_folder(config: Config) -> VideoFolder:
    """Finds the videos of `config.data`, with labels or without.

    Raises:
        UserError: if there are none, or if the folder has features already.
    """
    folder = Path(config.data)
    if not folder.is_dir():
        raise UserError(
            f"--data {folder}: expected a folder of videos; python -m"
            f" {__package__}.datasets.builtin FOLDER makes one"
        )
    if (folder / "features").exists():
        raise UserError(
            f"{folder}: it has a folder features; to make others of its"
            " videos, move that one away"
        )
    if mstcn.is_there(folder) or annotations_csv.table(folder):
        return _read_labelled(config)
    return _read_unlabelled(folder)


def _read_labelled(config: Config) -> VideoFolder:
    splits, labels, skipped = datasets.read(config)
    examples = [x for split in splits.values() for x in split]
    return VideoFolder(
        {example.name: example for example in examples},
        {split: [x.name for x in rows] for split, rows in splits.items()},
        labels,
        skipped,
    )


def _read_unlabelled(folder: Path) -> VideoFolder:
    # The videos may lie in the folder itself, too.
    has_media = any((folder / x).is_dir() for x in ("videos", "frames"))
    paths = folders.media(folder) if has_media else videos.find_videos(folder)
    if not paths:
        raise UserError(
            f"--data {folder}: no videos: expected NAME.mp4 or videos/NAME.mp4,"
            " or pictures in NAME/ or videos/NAME/"
        )
    examples = {
        name: datasets.Example(name, source, None)
        for name, source in paths.items()
    }
    return VideoFolder(examples, {}, None, Skipped())


def check_target(data: Path, to: Path) -> None:
    """Checks that nobody's labels are written over.

    Raises:
        UserError: if `to` is the folder of videos, or has files of its own.
    """
    if to.exists() and to.resolve() == data.resolve():
        raise UserError(
            f"--to {to}: the folder of videos itself, whose labels are of all"
            " frames: choose another one"
        )
    if to.exists() and not (to / INDEX).exists() and any(to.iterdir()):
        raise UserError(
            f"--to {to}: there is something in it, and it is no folder of"
            " features: choose another one"
        )


def write_labels(
    example: datasets.Example, times: Times, config: Config, to: Path
) -> set[str]:
    """Writes the labels of the frames that were kept.

    Args:
        example: a video; without labels, nothing is written.
        times: which frames were kept.
        config: how labels are read.
        to: the folder of features.

    Returns:
        The tags that occur.

    Raises:
        UserError: if there are more labels than frames, or fewer.
    """
    if example.annotation is None:
        return set()
    tags_of_frames = annotations.tags_at(example.annotation, *times, config)
    unlabelled = (annotations.UNLABELLED,)
    lines = [" ".join(unlabelled if x is None else x) for x in tags_of_frames]
    path = to / "groundTruth" / f"{example.name}.txt"
    atomic.write_text(path, "".join(line + "\n" for line in lines))
    return {tag for tags in tags_of_frames for tag in tags or ()}


def write_lists(
    source: VideoFolder, tags: set[str], config: Config, to: Path
) -> None:
    """Writes the list of tags, and the splits as they are in training.

    Args:
        source: the videos.
        tags: those that occur, for a folder that does not list them.
        config: says where the videos are.
        to: the folder of features.
    """
    if not source.splits:
        return
    labels = source.labels or sorted(tags)
    lines = [f"{number} {label}" for number, label in enumerate(labels)]
    atomic.write_text(to / "mapping.txt", "".join(x + "\n" for x in lines))
    bundles = sorted(Path(config.data, "splits").glob("*.bundle*"))
    for path in reversed(bundles):  # Unpacked last.
        text = "".join(text_files.read_lines(path, config.encoding))
        atomic.write_text(to / "splits" / path.name.removesuffix(".gz"), text)
    if bundles:
        return
    for split, names in source.splits.items():
        text = "".join(f"{name}.txt\n" for name in names)
        atomic.write_text(to / "splits" / f"{split}.bundle", text)


def main() -> None:
    """Reads the command line, computes, and tells what was left out."""
    options = vars(_parser().parse_args())
    to = Path(options.pop("to"))
    config = Config(**options)
    source = read_folder(config)
    check_target(Path(config.data), to)
    folder = FeatureFolder(to, encoders.signature(config))
    files = {x.name: Path(str(x.source)) for x in source.examples.values()}
    tags: set[str] = set()
    done = compute(files, config, folder, source.skipped, config.batch_size)
    for name in done:
        times = folder.read_times(name)
        tags |= write_labels(source.examples[name], times, config, to)
    write_lists(source, tags, config, to)
    for line in format_report(source.skipped.report()):
        print(line)
    print(f"{to}: {len(folder.stamps)} videos")
    if source.splits:
        print(f"to train: {_next_command(config, to)}")


def _next_command(config: Config, to: Path) -> str:
    """Returns the command that trains on the features, with the encoder.

    Without the encoder's options the model could not tag videos.
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
    add(
        "--batch-size", type=int, default=extraction.BATCH_FRAMES, help="frames"
    )
    add("--seed", type=int, default=default.seed, help="of weights none")
    choices = ["error", "crop"]
    add("--align", default="error", choices=choices, help="of labels")
    add("--multi-label", action="store_true", help="labels are sets of tags")
    add("--background", default=default.background, help="tag of no action")
    add("--encoding", default=default.encoding, help="of text files")
    return parser


if __name__ == "__main__":
    cli.main(main)
