"""The files beside features: what a folder of videos says about its frames.

groundTruth/NAME.txt    a line for each frame that was kept
mapping.txt             all tags, with numbers
splits/*.bundle         which videos to train and to test with

With the features, this is a folder to train on.
"""

from pathlib import Path
from typing import NamedTuple

from common import atomic
from common.data import text_files
from common.data.feature_store import INDEX, Times
from common.data.skipped import Skipped
from common.errors import UserError
from common.media import videos

from . import datasets
from .config import Config
from .datasets import annotations, annotations_csv, folders, mstcn


class Given(NamedTuple):
    """The videos of a folder.

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


def read(config: Config) -> Given:
    """Finds the videos of `config.data`, labelled or not.

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
        return _labelled(config)
    return _unlabelled(folder)


def _labelled(config: Config) -> Given:
    found = datasets.read(config)
    splits = {
        split: [example.name for example in examples]
        for split, examples in found.splits.items()
    }
    examples = {
        example.name: example
        for examples in found.splits.values()
        for example in examples
    }
    return Given(examples, splits, found.labels, found.skipped)


def _unlabelled(folder: Path) -> Given:
    # The videos may lie in the folder itself, too.
    has_media = any((folder / x).is_dir() for x in ("videos", "frames"))
    found = folders.media(folder) if has_media else videos.find_videos(folder)
    if not found:
        raise UserError(
            f"--data {folder}: no videos: expected NAME.mp4 or videos/NAME.mp4,"
            " or pictures in NAME/ or videos/NAME/"
        )
    examples = {
        name: datasets.Example(name, source, None)
        for name, source in found.items()
    }
    return Given(examples, {}, None, Skipped())


def check_target(data: Path, to: Path) -> None:
    """Makes sure that nobody's labels are written over.

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
    found = annotations.tags_at(example.annotation, *times, config)
    unlabelled = (annotations.UNLABELLED,)
    lines = [" ".join(unlabelled if x is None else x) for x in found]
    path = to / "groundTruth" / f"{example.name}.txt"
    atomic.write_text(path, "".join(line + "\n" for line in lines))
    return {tag for tags in found for tag in tags or ()}


def write_lists(given: Given, tags: set[str], config: Config, to: Path) -> None:
    """Writes the list of tags, and the splits as they are in training.

    Args:
        given: the videos.
        tags: those that occur, for a folder that does not list them.
        config: says where the videos are.
        to: the folder of features.
    """
    if not given.splits:
        return
    labels = given.labels or sorted(tags)
    lines = [f"{number} {label}" for number, label in enumerate(labels)]
    atomic.write_text(to / "mapping.txt", "".join(x + "\n" for x in lines))
    bundles = sorted(Path(config.data, "splits").glob("*.bundle*"))
    for path in reversed(bundles):  # Unpacked last.
        text = "".join(text_files.read_lines(path, config.encoding))
        atomic.write_text(to / "splits" / path.name.removesuffix(".gz"), text)
    if bundles:
        return
    for split, names in given.splits.items():
        text = "".join(f"{name}.txt\n" for name in names)
        atomic.write_text(to / "splits" / f"{split}.bundle", text)
