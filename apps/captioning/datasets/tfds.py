"""Images of tensorflow-datasets as files, which any pass can open by name.

Their records would have to be read in order, and decoded at each pass.
"""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from common import atomic
from common.errors import UserError

# In the folder of the prepared data set, a folder in it for each split.
FOLDER = "images-unpacked"
IMAGES = "images"
CAPTIONS = "captions.json"


class Places(NamedTuple):
    """Where in a row of a data set the wanted things are.

    Attributes:
        image: the feature with the image.
        captions: the feature with the captions.
        text: the part of that feature with the text; "" for itself.
        file: the feature with the file's name; "" where there is none.
        ending: of the names of files that have none.
    """

    image: str
    captions: str
    text: str
    file: str
    ending: str


def find(features: Any, data: str) -> Places:
    """Finds image and captions among the features of a data set.

    Args:
        features: of `tfds.core.DatasetInfo`.
        data: what the user calls the data set.

    Raises:
        UserError: if there is no image, no caption, or a choice of them.
    """
    import tensorflow_datasets as tfds

    kind = tfds.features.Image
    images = [name for name in features if isinstance(features[name], kind)]
    image = _choose(images, "image")
    file = f"{image}/filename"
    texts = {
        name: part
        for name in features
        if name != file and (part := _text(features[name].dtype)) is not None
    }
    captions = _choose(list(texts), "caption")
    if image is None or captions is None:
        raise UserError(
            f"--data {data}: expected an Image feature and one of captions, a"
            " text or a sequence of texts; the data set has"
            f" {', '.join(sorted(features))}"
        )
    is_png = features[image].encoding_format == "png"
    return Places(
        image,
        captions,
        texts[captions],
        file if file in features else "",
        ".png" if is_png else ".jpg",
    )


def _choose(names: list[str], beginning: str) -> str | None:
    """The only name, or the only one that begins so."""
    fitting = [name for name in names if name.startswith(beginning)] or names
    return fitting[0] if len(fitting) == 1 else None


def _text(dtype: Any) -> str | None:
    """Which part of a feature is its text: "" all of it, None no part."""
    if not isinstance(dtype, dict):
        return "" if dtype == "string" else None
    parts = [name for name, part in dtype.items() if part == "string"]
    return parts[0] if len(parts) == 1 else None


def unpack(found: Any, split: str, places: Places) -> Path:
    """Writes the images of a split as files, once, all of them or none.

    Args:
        found: a prepared `tfds.core.DatasetBuilder`.
        split: its name there.
        places: from `find`.

    Returns:
        The folder, for `images` and `captions`.

    Raises:
        UserError: if the disk refuses.
    """
    folder = Path(found.data_dir) / FOLDER / split
    if folder.is_dir():
        return folder
    print(f"tfds:{found.name}: unpacking the images into {folder} (once)")
    with atomic.write(folder) as partial:
        (partial / IMAGES).mkdir(parents=True)
        texts: dict[str, list[str]] = {}
        for name, image, captions in _rows(found, split, places):
            (partial / IMAGES / name).write_bytes(image)
            # A data set may have a row for each caption.
            texts.setdefault(name, []).extend(captions)
        content = json.dumps(texts)
        (partial / CAPTIONS).write_text(content, encoding="utf-8")
    return folder


def _rows(
    found: Any, split: str, places: Places
) -> Iterator[tuple[str, bytes, list[str]]]:
    import tensorflow_datasets as tfds

    dataset = found.as_dataset(
        split=split,
        shuffle_files=False,
        decoders={places.image: tfds.decode.SkipDecoding()},
        read_config=tfds.ReadConfig(try_autocache=False),
    )
    for number, row in enumerate(tfds.as_numpy(dataset)):
        texts = row[places.captions]
        if places.text:
            texts = texts[places.text]
        # Without the split, two images would have one number.
        name = f"{split}-{number}{places.ending}"
        if places.file:  # A path there would need folders.
            name = _decode(row[places.file]).replace("/", "-") or name
        yield name, row[places.image], [_decode(x) for x in np.ravel(texts)]


def _decode(text: bytes) -> str:
    return text.decode("utf-8", "replace")


def captions(folder: Path) -> dict[str, list[str]]:
    """The captions of every image of an unpacked split, as written."""
    return json.loads((folder / CAPTIONS).read_text(encoding="utf-8"))
