"""Where images and captions come from: one `--data SPEC`, all splits at once.

No image is opened here, but where its content decides on its split.
"""

import hashlib
import os
from collections.abc import Callable, Collection, Iterable
from pathlib import Path
from typing import NamedTuple

from common.data import skipped, tfds_loader
from common.data.skipped import Skipped
from common.data.splits import split_of
from common.errors import UserError

from ..config import Config
from . import builtin, coco, flickr8k, tfds

SPLITS = ("train", "valid", "test")
# Names of splits that other people use; restval is what the usual splits of
# COCO leave of its validation images, to learn from.
ALIASES = {
    "validation": "valid",
    "dev": "valid",
    "val": "valid",
    "restval": "train",
}
# Folders with the images; the misspelt one is the original's.
IMAGE_FOLDERS = ("images", "Images", "Flicker8k_Dataset", "Flickr8k_Dataset")
IMAGE_ENDINGS = (".jpg", ".jpeg", ".png", ".gif", ".bmp", ".webp")


class Example(NamedTuple):
    """One image and what people wrote about it.

    Attributes:
        name: the name of its file, without folders; no other image has it.
        image: the path of the file, or its content (builtin data), or ""
            where there are only features of it.
        captions: one or more, as written.
    """

    name: str
    image: str | bytes
    captions: tuple[str, ...]


Splits = dict[str, list[Example]]


class Found(NamedTuple):
    """What `config.data` is.

    Attributes:
        splits: the examples by split name.
        skipped: what was left out.
    """

    splits: Splits
    skipped: Skipped


class _Parts(NamedTuple):
    """Captions, splits and images, which need not fit each other.

    Attributes:
        captions: by the image's name.
        lists: names of images by split; empty where nothing tells splits.
        images: paths by name.
    """

    captions: dict[str, list[str]]
    lists: dict[str, list[str]]
    images: dict[str, str]


def open_splits(config: Config, names: Collection[str] | None = None) -> Splits:
    """Reads the splits of `config.data`; see `read`.

    Raises:
        UserError: as `read`.
    """
    return read(config, names).splits


def read(config: Config, names: Collection[str] | None = None) -> Found:
    """Reads the splits of `config.data`, and what had to be left out.

    Args:
        config: says what the data are.
        names: the images of which there are features. Then only these count,
            and none needs a file.

    Returns:
        Examples by split name. Data without splits are cut in "train",
        "valid" and "test" by a hash of the image; data with a training split
        but none for validation give "valid" a tenth of it.

    Raises:
        UserError: if there are no such data, none that fit a known layout,
            an image that is there twice, or nothing that can be used.
    """
    if config.data == "builtin":
        return Found(_builtin(config), Skipped())
    notes = Skipped()
    if config.data.startswith("tfds:"):
        parts = _tfds(config)
    else:
        parts = _folder(_existing(config), config, notes)
    examples = _join(parts, names, notes)
    if not any(examples.values()):
        reasons = "; ".join(skipped.format_report(notes.report()))
        raise UserError(
            f"--data {config.data}: no caption is of an image that can be"
            f" used; {reasons}"
        )
    return Found(_complete(examples), notes)


def _builtin(config: Config) -> Splits:
    sizes = dict.fromkeys(SPLITS, max(config.num_examples // 10, 10))
    sizes["train"] = config.num_examples
    return {
        split: [
            Example(scene.name, scene.png, scene.captions)
            for scene in builtin.generate(split, size, config.seed)
        ]
        for split, size in sizes.items()
    }


def _tfds(config: Config) -> _Parts:
    found = tfds_loader.prepare_builder(
        config.data.removeprefix("tfds:"), config.tfds_dir
    )
    if "train" not in found.info.splits:
        raise UserError(
            f"--data {config.data}: no train split; it has"
            f" {', '.join(found.info.splits)}"
        )
    places = tfds.find(found.info.features, config.data)
    parts = _Parts({}, {}, {})
    for split in found.info.splits:
        ours = ALIASES.get(split, split)
        if ours in SPLITS:
            folder = tfds.unpack(found, split, places)
            _add_unpacked(parts, ours, folder, config.data)
    return parts


def _add_unpacked(parts: _Parts, split: str, folder: Path, data: str) -> None:
    for name, captions in tfds.captions(folder).items():
        path = folder / tfds.IMAGES / name
        if name in parts.images:
            raise UserError(
                f"--data {data}: {parts.images[name]} and {path} have the same"
                " name: expected another for each image; copy them to a folder"
                " of your own and pass that"
            )
        parts.images[name] = str(path)
        if written := [text.strip() for text in captions if text.strip()]:
            parts.captions[name] = written
            parts.lists.setdefault(split, []).append(name)


def _existing(config: Config) -> Path:
    path = Path(config.data).expanduser()
    if path.is_dir():
        return path
    if path.exists():
        raise UserError(
            f"--data {config.data}: expected a folder with captions and"
            " images, got a file; pass the folder that it is in"
        )
    raise UserError(
        f"--data {config.data}: no such file or folder; expected builtin,"
        " tfds:NAME, or the path of a folder"
    )


def _folder(folder: Path, config: Config, notes: Skipped) -> _Parts:
    if path := flickr8k.find(folder):
        captions = flickr8k.captions(path, config.encoding, notes)
        lists = flickr8k.lists(folder, config.encoding, notes)
    elif paths := coco.find(folder):
        captions, lists = coco.read(paths, config.encoding, notes)
    else:
        inside = ", ".join(sorted(p.name for p in folder.iterdir())[:8])
        raise UserError(
            f"--data {folder}: expected captions.txt or *.token.txt"
            " (Flickr8k), or captions_*.json (COCO), beside the folder images;"
            f" it holds {inside or 'nothing'}: rename these, or pass the folder"
            " that holds the captions"
        )
    return _Parts(captions, lists, find_images(folder, captions.__contains__))


def find_images(
    folder: Path, is_wanted: Callable[[str], bool]
) -> dict[str, str]:
    """All files of the folder with the images: paths by name.

    Args:
        folder: has one of IMAGE_FOLDERS, or is it.
        is_wanted: tells by its name a file that must be there once.

    Raises:
        UserError: if one is there twice.
    """
    inside = [folder / name for name in IMAGE_FOLDERS]
    top = next((path for path in inside if path.is_dir()), folder)
    found: dict[str, str] = {}
    for place, folders, names in os.walk(top, followlinks=True):
        folders.sort()
        for name in sorted(names):
            path = os.path.join(place, name)
            if name in found and is_wanted(name):
                raise UserError(
                    f"{found[name]} and {path}: duplicated image names:"
                    " images are told by the name alone; rename or remove"
                    " one of them"
                )
            found[name] = path
    return found


def is_image(name: str) -> bool:
    """Whether a file is a picture, by its name."""
    return name.lower().endswith(IMAGE_ENDINGS)


def _join(
    parts: _Parts, names: Collection[str] | None, notes: Skipped
) -> Splits:
    """Brings captions to their images, by splits ("" where none is told)."""
    lists = parts.lists or {"": list(parts.captions)}
    given = None if names is None else frozenset(names)
    examples = {
        split: _usable(parts, listed, given, notes)
        for split, listed in lists.items()
    }
    _note_unused(parts, set().union(*lists.values()), given, notes)
    return examples


def _usable(
    parts: _Parts,
    listed: list[str],
    given: frozenset[str] | None,
    notes: Skipped,
) -> list[Example]:
    examples = []
    for name in listed:
        image = parts.images.get(name, "")
        captions = tuple(parts.captions.get(name, ()))
        if not captions:
            notes.add("in a list, without a caption", name)
        elif given is None and not image:
            notes.add("caption without an image", name)
        elif given is not None and name not in given:
            notes.add("without features", name)
        else:
            examples.append(Example(name, image, captions))
    return examples


def _note_unused(
    parts: _Parts,
    listed: set[str],
    given: frozenset[str] | None,
    notes: Skipped,
) -> None:
    """Notes what no list names, and images that nobody wrote about."""
    for name in parts.captions:
        if name not in listed:
            notes.add("in no list", name)
    reason = "features without a caption"
    if given is None:
        reason = "image without a caption"
        given = frozenset(name for name in parts.images if is_image(name))
    for name in sorted(given - listed - parts.captions.keys()):
        notes.add(reason, name)


def _complete(examples: Splits) -> Splits:
    """Cuts what has no splits, or has none for validation."""
    if "" in examples:
        return _cut(examples[""], ("valid", "test"))
    if "train" in examples and "valid" not in examples:
        return examples | _cut(examples["train"], ("valid",))
    return examples


def _cut(examples: Iterable[Example], held_out: tuple[str, ...]) -> Splits:
    cut: Splits = {split: [] for split in ("train", *held_out)}
    for example in examples:
        cut[split_of(_identity(example), held_out)].append(example)
    return cut


def _identity(example: Example) -> str:
    """What equal images have in common: their content, if there is one."""
    if not isinstance(example.image, str) or not example.image:
        return example.name
    try:
        content = Path(example.image).read_bytes()
    except OSError as error:
        raise UserError(f"{example.image}: {error.strerror}") from error
    return hashlib.blake2b(content).hexdigest()
