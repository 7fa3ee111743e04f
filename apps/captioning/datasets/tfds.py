"""Captioned images of tensorflow-datasets, unpacked to files.

Records would have to be read in order, and decoded at each pass; any pass can
open a file by its name.
"""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from common import atomic
from common.characters import printable
from common.data import splits, tfds_loader
from common.errors import UserError, format_names

from .example import Annotations

# restval is what the usual splits of COCO leave of its validation images, to
# learn from.
ALIASES = splits.ALIASES | {"restval": "train"}
# In the folder of the prepared data set, a folder in it for each split.
FOLDER = "images-unpacked"
IMAGES = "images"
CAPTIONS = "captions.json"


class Columns(NamedTuple):
    """The features of a data set that hold image and captions.

    Attributes:
        image: the feature with the image.
        captions: the feature with the captions.
        text: the part of that feature with the text; "" for itself.
        file: the feature with the file's name; "" if there is none.
        ending: of the names of files that have none.
    """

    image: str
    captions: str
    text: str
    file: str
    ending: str


def read(spec: str, tfds_dir: str) -> tuple[Annotations, dict[str, str]]:
    """Reads the captions of a data set; unpacks its images, if need be.

    Args:
        spec: `tfds:NAME[/CONFIG]`.
        tfds_dir: prepared data; "" for tensorflow-datasets' default.

    Returns:
        The annotations, and the images' paths by name.

    Raises:
        UserError: if it is not prepared, has no training split, no image or
            captions, or images of one name; or if the disk refuses.
    """
    builder = tfds_loader.prepare_builder(spec.removeprefix("tfds:"), tfds_dir)
    if "train" not in builder.info.splits:
        raise UserError(
            f"--data {spec}: no train split; it has"
            f" {format_names(builder.info.splits)}"
        )
    columns = _find_columns(builder.info.features, spec)
    annotations = Annotations({}, {})
    paths: dict[str, str] = {}
    for name in builder.info.splits:
        split = ALIASES.get(name, name)
        if split in splits.SPLITS:
            folder = _unpack(builder, name, columns)
            _add_split(annotations, paths, split, folder, spec)
    return annotations, paths


def _add_split(
    annotations: Annotations,
    paths: dict[str, str],
    split: str,
    folder: Path,
    spec: str,
) -> None:
    content = (folder / CAPTIONS).read_text(encoding="utf-8")
    for name, captions in json.loads(content).items():
        path = folder / IMAGES / name
        if name in paths:
            raise UserError(
                f"--data {spec}: {paths[name]} and {path} have the same name:"
                " expected another for each image; copy them to a folder of"
                " your own and pass that"
            )
        paths[name] = str(path)
        if texts := [text.strip() for text in captions if text.strip()]:
            annotations.captions[name] = texts
            annotations.splits.setdefault(split, []).append(name)


def _find_columns(features: Any, spec: str) -> Columns:
    """Finds image and captions among the features of `DatasetInfo`."""
    import tensorflow_datasets as tfds

    kind = tfds.features.Image
    images = [name for name in features if isinstance(features[name], kind)]
    image = _choose(images, "image")
    file = f"{image}/filename"
    texts = {
        name: part
        for name in features
        if name != file
        and (part := _find_text(features[name].dtype)) is not None
    }
    captions = _choose(list(texts), "caption")
    if image is None or captions is None:
        raise UserError(
            f"--data {spec}: expected an Image feature and one of captions, a"
            " text or a sequence of texts; the data set has"
            f" {format_names(sorted(features))}"
        )
    is_png = features[image].encoding_format == "png"
    return Columns(
        image,
        captions,
        texts[captions],
        file if file in features else "",
        ".png" if is_png else ".jpg",
    )


def _choose(names: list[str], beginning: str) -> str | None:
    """Returns the only name, or the only one that begins so."""
    fitting = [name for name in names if name.startswith(beginning)] or names
    return fitting[0] if len(fitting) == 1 else None


def _find_text(dtype: Any) -> str | None:
    """Returns the part of a feature with a text: "" all of it, None no part."""
    if not isinstance(dtype, dict):
        return "" if dtype == "string" else None
    parts = [name for name, part in dtype.items() if part == "string"]
    return parts[0] if len(parts) == 1 else None


def _unpack(builder: Any, split: str, columns: Columns) -> Path:
    """Writes the images of a split as files, once, all of them or none."""
    folder = Path(builder.data_dir) / FOLDER / split
    if folder.is_dir():
        return folder
    place = printable(folder)
    print(f"tfds:{builder.name}: unpacking the images into {place} (once)")
    with atomic.write(folder) as partial:
        (partial / IMAGES).mkdir(parents=True)
        texts: dict[str, list[str]] = {}
        for name, image, captions in _read_rows(builder, split, columns):
            (partial / IMAGES / name).write_bytes(image)
            # A data set may have a row for each caption.
            texts.setdefault(name, []).extend(captions)
        content = json.dumps(texts)
        (partial / CAPTIONS).write_text(content, encoding="utf-8")
    return folder


def _read_rows(
    builder: Any, split: str, columns: Columns
) -> Iterator[tuple[str, bytes, list[str]]]:
    import tensorflow_datasets as tfds

    dataset = builder.as_dataset(
        split=split,
        shuffle_files=False,
        decoders={columns.image: tfds.decode.SkipDecoding()},
        read_config=tfds.ReadConfig(try_autocache=False),
    )
    for number, row in enumerate(tfds.as_numpy(dataset)):
        texts = row[columns.captions]
        if columns.text:
            texts = texts[columns.text]
        # Without the split, two images would have one number.
        name = f"{split}-{number}{columns.ending}"
        if columns.file:  # A path there would need folders.
            name = _decode(row[columns.file]).replace("/", "-") or name
        yield name, row[columns.image], [_decode(x) for x in np.ravel(texts)]


def _decode(text: bytes) -> str:
    return text.decode("utf-8", "replace")
