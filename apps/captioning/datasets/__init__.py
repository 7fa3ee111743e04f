"""Captioned images: one `--data SPEC`, all splits at once.

No image is opened here, unless its content decides on its split.
To read a source of your own, return its splits from `open_splits`.

flickr8k, coco: folders of images beside files of captions.
tfds: data sets of tensorflow-datasets.
builtin: the generated scenes.
samples: a few validation images, to try the model on.
"""

import functools
import hashlib
import os
from collections.abc import Callable, Collection
from pathlib import Path, PurePosixPath

from common.data import skipped, splits
from common.data.names import match_names
from common.data.skipped import Skipped
from common.data.splits import SPLITS
from common.errors import UserError, format_names
from common.media import folders, images
from common.media.frame_folders import natural_key

from . import builtin, coco, flickr8k, tfds
from .example import Annotations, Example

__all__ = ["Example", "find_images", "is_image", "list_images", "open_splits"]

# Folders with the images; the misspelt one is the original's.
IMAGE_FOLDERS = ("images", "Images", "Flicker8k_Dataset", "Flickr8k_Dataset")
IMAGE_ENDINGS = (
    *[".jpg", ".jpeg", ".jpe", ".jfif", ".png", ".gif", ".bmp"],
    # These cannot be decoded: they are counted, and named for what they are.
    *[".webp", ".tif", ".tiff", ".heic", ".heif", ".avif", ".jp2", ".svg"],
)


def open_splits(
    spec: str,
    left_out: Skipped,
    *,
    names: Collection[str] | None = None,
    encoding: str = "utf-8",
    tfds_dir: str = "",
    num_examples: int = 6_000,
    seed: int = 0,
) -> dict[str, list[Example]]:
    """Reads the captions of a data set, and finds their images.

    Args:
        spec: `builtin`, `tfds:NAME[/CONFIG]`, or a folder.
        left_out: notes captions and images that cannot be used.
        names: the images of which there are features. Then only these count,
            and none needs a file.
        encoding: of files.
        tfds_dir: prepared tensorflow-datasets; "" for its default.
        num_examples: training images of the builtin data.
        seed: of the builtin data.

    Returns:
        Examples by split name. A source without splits is cut in "train",
        "valid" and "test" by a hash of the image; one with a training split
        but none for validation gives "valid" a tenth of it.

    Raises:
        UserError: if there is no such data, none that fits a known layout, an
            image that is there twice, or nothing that can be used.
    """
    if spec == "builtin":
        return _generate(num_examples, seed)
    folder = None
    if spec.startswith("tfds:"):
        annotations, paths = tfds.read(spec, tfds_dir)
    else:
        folder = _find_folder(spec)
        annotations = _read_annotations(folder, encoding, left_out)
        paths = find_images(folder, annotations.captions.__contains__)
        if not annotations.splits:
            _check_folders(folder, paths)
    wanted = None if names is None else frozenset(names)
    written = annotations.captions
    annotations = _match_names(annotations, paths if names is None else names)
    if folder and annotations.captions.keys() != written.keys():
        # The other names, too, must be there once.
        find_images(folder, annotations.captions.__contains__)
    examples = _join(annotations, paths, wanted, left_out)
    if not any(examples.values()):
        reasons = "; ".join(skipped.format_report(left_out.report()))
        raise UserError(
            f"--data {spec}: no caption is of an image that can be used;"
            f" {reasons}"
        )
    return _complete(examples)


def _generate(num_examples: int, seed: int) -> dict[str, list[Example]]:
    sizes = dict.fromkeys(SPLITS, max(num_examples // 10, 10))
    sizes["train"] = num_examples
    return {
        split: [
            Example(scene.name, scene.png, scene.captions)
            for scene in builtin.generate(split, size, seed)
        ]
        for split, size in sizes.items()
    }


def _find_folder(spec: str) -> Path:
    path = splits.existing(spec, "builtin, tfds:NAME, or the path of a folder")
    if not path.is_dir():
        raise UserError(
            f"--data {spec}: expected a folder with captions and images, got a"
            " file; pass the folder that it is in"
        )
    return path


def _read_annotations(
    folder: Path, encoding: str, left_out: Skipped
) -> Annotations:
    if path := flickr8k.find(folder):
        return flickr8k.read(path, encoding, left_out)
    if paths := coco.find(folder):
        return coco.read(paths, encoding, left_out)
    inside = format_names(sorted(p.name for p in folder.iterdir()))
    raise UserError(
        f"--data {folder}: expected captions.txt or *.token.txt (Flickr8k), or"
        " captions_*.json (COCO), beside the folder images; it holds"
        f" {inside}: rename these, or pass the folder that holds"
        " the captions"
    )


def find_images(
    folder: Path, is_wanted: Callable[[str], bool]
) -> dict[str, str]:
    """Finds all files of the folder with the images.

    Args:
        folder: has one of IMAGE_FOLDERS, or is it.
        is_wanted: tells by its name a file that must be there once.

    Returns:
        Paths by name.

    Raises:
        UserError: if a wanted one is there twice.
    """
    inside = [folder / name for name in IMAGE_FOLDERS]
    top = next((path for path in inside if path.is_dir()), folder)
    paths: dict[str, str] = {}
    for place, names in folders.walk(top):
        for name in names:
            path = os.path.join(place, name)
            if name in paths and is_wanted(name):
                raise UserError(
                    f"{paths[name]} and {path}: duplicated image names:"
                    " images are told by the name alone; rename or remove"
                    " one of them"
                )
            paths[name] = path
    return paths


def _check_folders(folder: Path, paths: dict[str, str]) -> None:
    """Refuses folders of images for splits, where the captions have none."""
    parents = {Path(path).parent for path in paths.values()}
    names = sorted(x.name for x in parents if splits.names_split(x.name))
    if len(names) > 1:
        raise UserError(
            f"--data {folder}: images in {splits.list_names(names)}, but the"
            " captions tell no splits, so that all would be mixed: give lists"
            f" ({flickr8k.EXPECTED}) or {coco.EXPECTED}; or put the images"
            " into one folder"
        )


def _fold(name: str) -> str:
    """Returns what names of one image have in common: no folder, no ending."""
    path = PurePosixPath(name.replace("\\", "/"))
    return (path.stem if is_image(path.name) else path.name).casefold()


def _match_names(
    annotations: Annotations, available: Collection[str]
) -> Annotations:
    """Gives captions and lists the names of the images, where these meet."""
    in_captions = match_names(annotations.captions, available, _fold)
    listed = [x for split in annotations.splits.values() for x in split]
    in_lists = match_names(listed, available, _fold)
    return Annotations(
        {in_captions.get(x, x): y for x, y in annotations.captions.items()},
        {
            split: [in_lists.get(name, name) for name in split_names]
            for split, split_names in annotations.splits.items()
        },
    )


def list_images(folder: Path) -> list[Path]:
    """Lists the pictures below a folder, 2.jpg before 10.jpg; no hidden ones.

    They are known by their names.
    """
    paths = [
        Path(place, name)
        for place, names in folders.walk(folder)
        for name in names
        if is_image(name) and not name.startswith(".")
    ]
    return sorted(paths, key=lambda path: natural_key(str(path)))


def is_image(name: str) -> bool:
    """Returns True if a file is a picture, by its name."""
    return name.lower().endswith(IMAGE_ENDINGS)


def _join(
    annotations: Annotations,
    paths: dict[str, str],
    wanted: frozenset[str] | None,
    left_out: Skipped,
) -> dict[str, list[Example]]:
    """Joins captions and images, by split ("" if there are no splits)."""
    listed = annotations.splits or {"": list(annotations.captions)}
    examples = {
        split: _select_usable(
            names, annotations.captions, paths, wanted, left_out
        )
        for split, names in listed.items()
    }
    names = set().union(*listed.values())
    _note_unused(names, annotations.captions, paths, wanted, left_out)
    return examples


def _select_usable(
    names: list[str],
    captions: dict[str, list[str]],
    paths: dict[str, str],
    wanted: frozenset[str] | None,
    left_out: Skipped,
) -> list[Example]:
    examples = []
    for name in names:
        if name not in captions:
            left_out.add("in a list, without a caption", name)
        elif wanted is None and name not in paths:
            left_out.add("caption without an image", name)
        elif wanted is not None and name not in wanted:
            left_out.add("without features", name)
        else:
            path = paths.get(name, "")
            examples.append(Example(name, path, tuple(captions[name])))
    return examples


def _note_unused(
    names: set[str],
    captions: dict[str, list[str]],
    paths: dict[str, str],
    wanted: frozenset[str] | None,
    left_out: Skipped,
) -> None:
    """Notes captions that are in no list, and images without captions."""
    for name in captions:
        if name not in names:
            left_out.add("in no list", name)
    reason = "features without a caption"
    if wanted is None:
        reason = "image without a caption"
        wanted = frozenset(name for name in paths if is_image(name))
    for name in sorted(wanted - names - captions.keys()):
        left_out.add(reason, name)


def _complete(examples: dict[str, list[Example]]) -> dict[str, list[Example]]:
    """Cuts what has no splits, or has none for validation."""
    key = functools.cache(_hash_content)  # Each image is read once.
    readers = {
        name: functools.partial(iter, split) for name, split in examples.items()
    }
    streams = (
        splits.cut(readers[""], key)
        if "" in readers
        else splits.complete(readers, key)
    )
    return {name: list(stream) for name, stream in streams.items()}


def _hash_content(example: Example) -> str:
    """Returns a key that equal images share; the name if there is no file."""
    if not isinstance(example.image, str) or not example.image:
        return example.name
    try:
        content = images.read_bytes(example.image)
    except OSError as error:
        raise UserError(f"{example.image}: {error.strerror}") from error
    return hashlib.blake2b(content).hexdigest()
