"""One captioned image, and the captions of a whole data set."""

from typing import NamedTuple


class Example(NamedTuple):
    """One image and what people wrote about it.

    Attributes:
        name: the name of its file, without folders; no other image has it.
        image: the path of the file, or its content (builtin data), or "" if
            there are only features of it.
        captions: one or more, as written.
    """

    name: str
    image: str | bytes
    captions: tuple[str, ...]


class Annotations(NamedTuple):
    """Captions and splits of a data set, before they are joined with images.

    Attributes:
        captions: texts by the image's name.
        splits: names of images by split; empty if the data have no splits.
    """

    captions: dict[str, list[str]]
    splits: dict[str, list[str]]
