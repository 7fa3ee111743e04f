"""Train, valid and test: names, streams, and held-out data by a hash.

The same input falls on the same side on every machine and in every order of
the file, and equal inputs never fall on both sides.
"""

import hashlib
import itertools
import re
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from pathlib import Path
from typing import Generic, TypeVar

from common.data import text_files
from common.errors import UserError, format_names

SPLITS = ("train", "valid", "test")
# Names of splits that other people use.
ALIASES = {"validation": "valid", "dev": "valid", "val": "valid"}
UNDERSTOOD = "train, valid (or validation, dev, val) and test"
NUM_BUCKETS = 10
NUM_LISTED = 12  # Names in an error.

# Words that speak of a split, with what they are put together with.
_WORD = re.compile(
    "(train(ing|val)?|val(id(ation)?)?|dev(el(opment)?)?|test(ing)?"
    "|eval(uation)?|held|heldout|holdout|unseen)"
    "(set|data|list|split|file|image|id|name|video)?s?"
)
# Of files that may be lists or tables: others are logs, programs, weights.
_ENDINGS = (
    *["", ".csv", ".tsv", ".jsonl", ".json", ".txt", ".bundle", ".list"],
    *[".lst", ".ids", ".xlsx", ".xls", ".parquet", ".zip"],
)

Example = TypeVar("Example")
# Starts to read a source from its beginning.
Reader = Callable[[], Iterator[Example]]
Key = Callable[[Example], str]


class Stream(Generic[Example]):
    """The examples of one split, read anew at each iteration.

    Args:
        read: starts to read the source from its beginning.
        key: the input of an example, by which a hash holds it out.
        split: keep only the examples that the hash puts into this split.
        held_out: the splits that are cut from the source by the hash.
    """

    def __init__(
        self,
        read: Reader[Example],
        key: Key[Example],
        split: str = "train",
        held_out: tuple[str, ...] = (),
    ) -> None:
        self._read = read
        self._key = key
        self._split = split
        self.held_out = held_out

    @property
    def is_cut(self) -> bool:
        """True if its source has no splits."""
        return "test" in self.held_out

    def __iter__(self) -> Iterator[Example]:
        """Yields the split's examples."""
        if not self.held_out:  # No key is needed: it may cost much.
            yield from self._read()
            return
        for example in self._read():
            if split_of(self._key(example), self.held_out) == self._split:
                yield example


def cut(read: Reader[Example], key: Key[Example]) -> dict[str, Stream[Example]]:
    """Cuts a source without splits: 80/10/10."""
    held_out = ("valid", "test")
    return {name: Stream(read, key, name, held_out) for name in SPLITS}


def complete(
    readers: Mapping[str, Reader[Example]], key: Key[Example]
) -> dict[str, Stream[Example]]:
    """Cuts a tenth of the training split for validation, if there is none."""
    streams = {name: Stream(read, key) for name, read in readers.items()}
    if "train" in readers and "valid" not in readers:
        for name in ("train", "valid"):
            streams[name] = Stream(readers["train"], key, name, ("valid",))
    return streams


def select(
    splits: Mapping[str, Iterable[Example]], name: str
) -> Iterable[Example]:
    """Picks one split by its name, or chains all of them for "all".

    Raises:
        UserError: if there is no such split.
    """
    if name == "all":
        return itertools.chain.from_iterable(splits.values())
    if name not in splits:
        raise UserError(
            f"--split {name}: expected all or one of {format_names(splits)}"
        )
    return splits[name]


def existing(data: str, expected: str) -> Path:
    """Returns the path that a `--data SPEC` names.

    Args:
        data: the SPEC.
        expected: what else it could be, for the error message.

    Raises:
        UserError: if there is nothing, or neither a file nor a folder.
    """
    path = Path(data).expanduser()
    if not path.exists():
        raise UserError(
            f"--data {data}: no such file or folder; expected {expected}"
        )
    if not text_files.is_regular(path):
        raise UserError(
            f"--data {data}: a pipe or a device, which cannot be read more"
            " than once: save it as a file"
        )
    return path


def names_split(name: str) -> bool:
    """Checks that the name of a file or folder speaks of a split.

    Example:
        >>> names_split("dev2.txt"), names_split("Flickr_8k.testing.txt")
        (True, True)
        >>> names_split("captions.txt"), names_split("trains.of.thought.csv")
        (False, True)
    """
    words = re.findall("[a-z]+", name.lower())
    return any(_WORD.fullmatch(word) for word in words)


def check_names(
    folder: Path,
    used: Collection[Path],
    expected: str,
    endings: Collection[str] = (),
) -> None:
    """Refuses what a name calls a split, but what nobody would read.

    Else videos or texts that are kept for a test would be learned from, or
    would be left out without a word.

    Args:
        folder: of the data.
        used: the files and folders in it that are read.
        expected: the names that are understood, for the error message.
        endings: of further files that may be data.

    Raises:
        UserError: naming the files and folders.
    """
    names = {path.name.removesuffix(".gz") for path in used}
    unknown = sorted(
        path.name
        for path in folder.iterdir()
        if not path.name.startswith(".")
        and path.name.removesuffix(".gz") not in names
        and names_split(path.name)
        and (path.is_dir() or _may_be_data(path, endings))
    )
    if unknown:
        raise UserError(
            f"{folder}: {list_names(unknown)} would not be read: expected one"
            f" file or folder for each split, named {expected}; rename it, or"
            " move it away"
        )


def _may_be_data(path: Path, endings: Collection[str]) -> bool:
    ending = Path(path.name.removesuffix(".gz")).suffix.lower()
    return ending in {*_ENDINGS, *(x.lower() for x in endings)}


def list_names(names: Collection[str]) -> str:
    """Lists names for an error, the first of many.

    Example:
        >>> list_names(["b", "a"]), list_names([str(n) for n in range(20)])
        ('b, a', '0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, ...')
    """
    more = ["..."] if len(names) > NUM_LISTED else []
    return ", ".join([*itertools.islice(names, NUM_LISTED), *more])


def hash_bucket(text: str) -> int:
    """Returns the tenth of the data to which an input belongs, 0 to 9.

    Example:
        >>> hash_bucket("a good film") == hash_bucket("a good film")
        True
        >>> sorted({hash_bucket(f"film {n}") for n in range(100)})
        [0, 1, 2, 3, 4, 5, 6, 7, 8, 9]
    """
    digest = hashlib.blake2b(text.encode("utf-8", "replace"), digest_size=8)
    return int.from_bytes(digest.digest(), "big") % NUM_BUCKETS


def split_of(text: str, held_out: tuple[str, ...]) -> str:
    """Returns the split of an input where the data do not name one.

    Args:
        text: the input.
        held_out: the splits to take from the data, a tenth each:
            `("valid", "test")`, or `("valid",)` where a test split exists.

    Returns:
        One of `held_out`, or `"train"`.

    Example:
        >>> from collections import Counter
        >>> films = [f"film {number}" for number in range(1000)]
        >>> Counter(split_of(film, ("valid", "test")) for film in films)
        Counter({'train': ..., ...})
    """
    tenth = hash_bucket(text) - (NUM_BUCKETS - len(held_out))
    return held_out[tenth] if tenth >= 0 else "train"
