"""Computes the features of all videos of a folder, once.

    python -m PACKAGE.features --data FOLDER --encoder MobileNetV2
        --encoder-weights FILE --image-size 224 --frame-rate 15 --to FOLDER

The new folder takes the place of the old one in training. What is finished
survives a kill; the same command again computes only what is missing, or has
changed. Beside the features, the folder has:

groundTruth/NAME.txt    a line for each frame that was kept
mapping.txt             all tags, with numbers
splits/*.bundle         which videos to train and to test with
"""

import shlex
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import NamedTuple

from common import atomic, cli, options
from common.characters import has_halves, printable
from common.data import skipped as skips
from common.data import text_files
from common.data.feature_store import INDEX, FeatureFolder, Times
from common.data.skipped import Skipped
from common.errors import UserError

from . import data, datasets
from .config import FEATURES, Config, features_parser
from .datasets import Example, annotations, folders
from .encoder import encoder_signature
from .loader import compute_features


class VideoFolder(NamedTuple):
    """The videos of a folder, and what is written about them.

    Attributes:
        examples: the videos, by name, labelled or not.
        splits: the names of each split; none if there are no labels.
        labels: all tags, if the folder lists them.
        skipped: what was left out.
    """

    examples: dict[str, Example]
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
    if not datasets.has_labels(folder):
        paths = folders.find_bare_videos(folder)
        examples = {name: Example(name, x, None) for name, x in paths.items()}
        return VideoFolder(examples, {}, None, Skipped())
    splits, labels, skipped = data.open_splits(config)
    kept = {x: list(_drop_odd(splits[x], skipped)) for x in splits}
    examples = {x.name: x for split in kept.values() for x in split}
    names = {x: [y.name for y in rows] for x, rows in kept.items() if rows}
    return VideoFolder(examples, names, labels, skipped)


def _drop_odd(
    examples: Iterable[Example], skipped: Skipped
) -> Iterator[Example]:
    """Yields the videos whose names are found again in a bundle.

    Raises:
        UserError: for a tag that would be several lines.
    """
    for example in examples:
        name = example.name
        is_one_line = "\n" not in name and not has_halves(name)
        if not is_one_line or folders.strip_ending(f"{name}.txt") != name:
            skipped.add("name that no list can hold", name)
            continue
        if example.annotation is not None:
            annotations.check_one_line(example.annotation)
        yield example


def check_target(source: Path, to: Path) -> None:
    """Checks that nobody's labels are written over.

    Raises:
        UserError: if `to` is the folder of videos, or has files of its own.
    """
    if to.exists() and to.resolve() == source.resolve():
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
    example: Example, times: Times, config: Config, to: Path
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
    frame_tags = annotations.tag_frames(
        example.annotation, *times, data.label_options(config)
    )
    unlabelled = (annotations.UNLABELLED,)
    lines = [" ".join(unlabelled if x is None else x) for x in frame_tags]
    path = to / "groundTruth" / f"{example.name}.txt"
    atomic.write_text(path, "".join(line + "\n" for line in lines))
    return {tag for tags in frame_tags for tag in tags or ()}


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


def next_command(config: Config, to: Path) -> str:
    """Returns the command that trains on the features, with the encoder.

    Without the encoder's options the model could not tag videos.
    """
    words = ["python", "-m", f"{__package__}.train", "--data", str(to)]
    words += ["--encoder", config.encoder]
    words += ["--image-size", str(config.image_size)]
    default = Config()
    if config.frame_rate:
        words += ["--frame-rate", f"{config.frame_rate:g}"]
    if config.encoder_weights != default.encoder_weights:
        words += ["--encoder-weights", config.encoder_weights]
    if config.seed != default.seed:
        words += ["--seed", str(config.seed)]
    if config.multi_label:
        words += ["--multi-label"]
    return shlex.join(words)


def main() -> None:
    """Computes the features, and prints what comes next."""
    args = features_parser().parse_args()
    config, to = options.override(FEATURES, args), Path(args.to)
    source = read_folder(config)
    check_target(Path(config.data), to)
    folder = FeatureFolder(to, encoder_signature(config))
    paths = {x.name: Path(str(x.source)) for x in source.examples.values()}
    tags: set[str] = set()
    for name in compute_features(
        paths, config, folder, source.skipped, config.batch_size
    ):
        times = folder.read_times(name)
        tags |= write_labels(source.examples[name], times, config, to)
    write_lists(source, tags, config, to)
    for line in skips.format_report(source.skipped.report()):
        print(line)
    print(f"{printable(to)}: {len(folder.stamps)} videos")
    if source.splits:
        print(printable(f"to train: {next_command(config, to)}"))


if __name__ == "__main__":
    cli.main(main)
