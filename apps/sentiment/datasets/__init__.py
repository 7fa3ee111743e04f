"""Where examples come from: one `--data SPEC`, every split as a stream.

A stream is read anew from its source at each pass and never held in memory.
"""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

from common.data import splits, tables, text_files, tfds_loader
from common.errors import UserError

from ..config import Config
from . import builtin

SPLITS = ("train", "valid", "test")
# Names of splits that other people use.
ALIASES = {"validation": "valid", "dev": "valid", "val": "valid"}
# A folder of the Large Movie Review data that is not a class.
UNLABELLED_FOLDER = "unsup"


class Example(NamedTuple):
    """One labelled text.

    Attributes:
        text: the input.
        label: its class; "" where the source gives none.
        where: the place in the source, for error messages.
    """

    text: str
    label: str
    where: str


class Stream:
    """The examples of one split, read anew at each iteration.

    Args:
        read: starts reading the source from its beginning.
        split: keep only the examples that a hash puts into this split.
        held_out: the splits that are cut from the source by that hash.
    """

    def __init__(
        self,
        read: Callable[[], Iterator[Example]],
        split: str = "train",
        held_out: tuple[str, ...] = (),
    ) -> None:
        self._read = read
        self._split = split
        self._held_out = held_out

    def __iter__(self) -> Iterator[Example]:
        """Yields the split's examples."""
        for example in self._read():
            if splits.split_of(example.text, self._held_out) == self._split:
                yield example


def open_splits(config: Config) -> dict[str, Stream]:
    """Finds the splits of `config.data`; nothing is read yet.

    Returns:
        Streams by split name. A source without splits is cut in "train",
        "valid" and "test" by a hash of the text; one with a training split
        but none for validation gives "valid" a tenth of it.

    Raises:
        UserError: if there is no such data, or none that fits a known layout.
    """
    if config.data == "builtin":
        return _complete(_builtin(config))
    if config.data.startswith("tfds:"):
        return _complete(_tfds(config))
    path = Path(config.data).expanduser()
    if path.is_dir():
        return _folder(path, config)
    if path.is_file():
        return _cut(_reader(_read_file, path, config))
    raise UserError(
        f"--data {config.data}: no such file or folder; expected builtin,"
        " tfds:NAME, or the path of a file or folder"
    )


def _reader(function: Callable[..., Iterator[Example]], *args: Any) -> Callable:
    return lambda: function(*args)


def _cut(read: Callable) -> dict[str, Stream]:
    """Cuts data that say nothing of splits: 80/10/10."""
    held_out = ("valid", "test")
    return {split: Stream(read, split, held_out) for split in SPLITS}


def _complete(readers: dict[str, Callable]) -> dict[str, Stream]:
    """Cuts a validation split from the training examples where none is."""
    streams = {name: Stream(read) for name, read in readers.items()}
    if "train" in readers and "valid" not in readers:
        for name in ("train", "valid"):
            streams[name] = Stream(readers["train"], name, ("valid",))
    return streams


def _builtin(config: Config) -> dict[str, Callable]:
    num_held_out = max(config.num_examples // 10, 10)
    sizes = dict.fromkeys(SPLITS, num_held_out)
    sizes["train"] = config.num_examples
    return {
        name: _reader(_read_builtin, name, size, config.seed)
        for name, size in sizes.items()
    }


def _read_builtin(split: str, size: int, seed: int) -> Iterator[Example]:
    for text, label in builtin.generate(split, size, seed):
        yield Example(text, label, f"builtin {split}")


def _folder(folder: Path, config: Config) -> dict[str, Stream]:
    """Files per split, folders per split and class, or folders per class."""
    found: dict[str, Callable] = {}
    for name in (*SPLITS, *ALIASES):
        split = ALIASES.get(name, name)
        if table := tables.find(folder, name):
            found.setdefault(split, _reader(_read_file, table, config))
        elif _class_folders(folder / name):
            found.setdefault(split, _reader(_read_texts, folder / name, config))
    if not found and _class_folders(folder):
        return _cut(_reader(_read_texts, folder, config))
    if not found:
        inside = ", ".join(sorted(p.name for p in folder.iterdir())[:8])
        raise UserError(
            f"--data {folder}: expected train.csv, .tsv or .jsonl, or a folder"
            f" of .txt files for each class (train/LABEL/*.txt or"
            f" LABEL/*.txt); it holds {inside or 'nothing'}"
        )
    return _complete(found)


def _class_folders(folder: Path) -> list[Path]:
    if not folder.is_dir():
        return []
    return sorted(
        path
        for path in folder.iterdir()
        if path.is_dir()
        and path.name != UNLABELLED_FOLDER
        and next(_text_files(path), None)
    )


def _text_files(folder: Path) -> Iterator[Path]:
    """The `.txt` and `.txt.gz` files; some systems add hidden ones."""
    for path in folder.iterdir():
        if text_files.suffix(path) == ".txt" and not path.name.startswith("."):
            yield path


def _read_file(path: Path, config: Config) -> Iterator[Example]:
    columns = {
        "--text-column": config.text_column,
        "--label-column": config.label_column,
    }
    for line, (text, label) in tables.read_rows(path, columns, config.encoding):
        where = f"{path}:{line}"
        if not label.strip():
            raise UserError(
                f"{where}: no {config.label_column}; give the row a label or"
                " remove it"
            )
        yield Example(text, label.strip(), where)


def _read_texts(folder: Path, config: Config) -> Iterator[Example]:
    for class_folder in _class_folders(folder):
        for path in sorted(_text_files(class_folder)):
            text = "".join(text_files.read_lines(path, config.encoding))
            yield Example(text, class_folder.name, str(path))


def _tfds(config: Config) -> dict[str, Callable]:
    name = config.data.removeprefix("tfds:")
    found = tfds_loader.prepare_builder(name, config.tfds_dir)
    if "train" not in found.info.splits:
        raise UserError(
            f"--data {config.data}: no train split; it has"
            f" {', '.join(found.info.splits)}"
        )
    text, label = _tfds_columns(found.info.features, config)
    return {
        ALIASES.get(split, split): _reader(
            _read_tfds, found, split, text, label
        )
        for split in found.info.splits
        if ALIASES.get(split, split) in SPLITS
    }


def _tfds_columns(features: Any, config: Config) -> tuple[str, str]:
    import tensorflow_datasets as tfds

    kinds = tfds.features
    return (
        _feature(features, "--text-column", config.text_column, kinds.Text),
        _feature(
            features, "--label-column", config.label_column, kinds.ClassLabel
        ),
    )


def _feature(features: Any, flag: str, name: str, kind: type) -> str:
    """Finds a feature by its name, or as the only one of its kind."""
    fitting = [key for key in features if isinstance(features[key], kind)]
    if name in features:
        return name
    if len(fitting) == 1:
        return fitting[0]
    has = ", ".join(sorted(features))  # tensorflow-datasets keeps no order.
    raise UserError(
        f"{flag}: no feature {name!r}; the data set has {has}: name the right"
        f" one with {flag}"
    )


def _read_tfds(
    found: Any, split: str, text: str, label: str
) -> Iterator[Example]:
    import tensorflow_datasets as tfds

    feature = found.info.features[label]
    names = getattr(feature, "names", None)
    # Each pass reads once: a cache in memory would only fill it.
    once = tfds.ReadConfig(try_autocache=False)
    dataset = found.as_dataset(
        split=split, shuffle_files=False, read_config=once
    )
    for number, row in enumerate(tfds.as_numpy(dataset)):
        value = row[label]
        if names is not None:  # -1 stands for a label that is kept secret.
            value = names[value] if value >= 0 else ""
        elif isinstance(value, bytes):
            value = value.decode("utf-8", "replace")
        yield Example(
            row[text].decode("utf-8", "replace"),
            str(value),
            f"tfds:{found.name} {split} example {number}",
        )
