"""Where sentence pairs come from: one `--data SPEC`, every split as a stream.

A stream is read anew from its source at each pass and never held in memory.
"""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

from common.data import splits, text_files, tfds_loader, zipped
from common.errors import UserError

from ..config import Config
from . import builtin, directions, parallel

SPLITS = ("train", "valid", "test")
# Names of splits that other people use.
ALIASES = {"validation": "valid", "dev": "valid", "val": "valid"}
# The languages of the builtin data; the first comes first in each pair.
BUILTIN = ("en", "fr")


class Pair(NamedTuple):
    """One sentence in two languages.

    Attributes:
        source: the sentence to translate.
        target: what it means, in the other language.
        where: the place in the source, for error messages.
    """

    source: str
    target: str
    where: str


class Stream:
    """The pairs of one split, read anew at each iteration.

    Args:
        read: starts reading the source from its beginning.
        split: keep only the pairs that a hash puts into this split.
        held_out: the splits that are cut from the source by that hash.
    """

    def __init__(
        self,
        read: Callable[[], Iterator[Pair]],
        split: str = "train",
        held_out: tuple[str, ...] = (),
    ) -> None:
        self._read = read
        self._split = split
        self._held_out = held_out

    def __iter__(self) -> Iterator[Pair]:
        """Yields the split's pairs."""
        for pair in self._read():
            if splits.split_of(pair.source, self._held_out) == self._split:
                yield pair


class Found(NamedTuple):
    """What `config.data` is.

    Attributes:
        languages: the names of the source and the target language.
        streams: by split name.
    """

    languages: tuple[str, str]
    streams: dict[str, Stream]


def open_splits(config: Config) -> dict[str, Stream]:
    """Finds the splits of `config.data`; nothing is read yet.

    Returns:
        Streams by split name. Data without splits are cut in "train", "valid"
        and "test" by a hash of the source sentence; data with a training
        split but none for validation give "valid" a tenth of it.

    Raises:
        UserError: if there is no such data, none that fits a known layout, or
            not the languages that `config` names.
    """
    return _find(config).streams


def languages(config: Config) -> tuple[str, str]:
    """The names of the source and the target language.

    Returns:
        Such as `("de", "en")`; `("source", "target")` where nobody says.

    Raises:
        UserError: as `open_splits`.
    """
    return _find(config).languages


def _find(config: Config) -> Found:
    if config.data == "builtin":
        return _builtin(config)
    if config.data.startswith("tfds:"):
        return _tfds(config)
    path = Path(config.data).expanduser()
    if path.is_dir():
        return _folder(path, config)
    if path.is_file():
        return _file(path, config)
    raise UserError(
        f"--data {config.data}: no such file or folder; expected builtin,"
        " tfds:NAME, or the path of a file or folder"
    )


def _reader(function: Callable[..., Iterator[Pair]], *args: Any) -> Callable:
    return lambda: function(*args)


def _cut(read: Callable) -> dict[str, Stream]:
    """Cuts data that say nothing of splits: 80/10/10."""
    held_out = ("valid", "test")
    return {split: Stream(read, split, held_out) for split in SPLITS}


def _complete(readers: dict[str, Callable]) -> dict[str, Stream]:
    """Cuts a validation split from the training pairs where none is."""
    streams = {name: Stream(read) for name, read in readers.items()}
    if "train" in readers and "valid" not in readers:
        for name in ("train", "valid"):
            streams[name] = Stream(readers["train"], name, ("valid",))
    return streams


def _builtin(config: Config) -> Found:
    pair = directions.choose(BUILTIN, BUILTIN, config)
    num_held_out = max(config.num_examples // 10, 10)
    sizes = dict.fromkeys(SPLITS, num_held_out)
    sizes["train"] = config.num_examples
    readers = {
        name: _reader(_read_builtin, name, size, config.seed, pair != BUILTIN)
        for name, size in sizes.items()
    }
    return Found(pair, _complete(readers))


def _read_builtin(
    split: str, size: int, seed: int, swap: bool
) -> Iterator[Pair]:
    for english, french in builtin.generate(split, size, seed):
        yield _pair(english, french, f"builtin {split}", swap)


def _pair(first: str, second: str, where: str, swap: bool) -> Pair:
    return Pair(second, first, where) if swap else Pair(first, second, where)


def _folder(folder: Path, config: Config) -> Found:
    """Two files per split, one for each language, or one with both."""
    found = parallel.languages(folder, (*SPLITS, *ALIASES))
    tables = _by_split(
        lambda name: text_files.find(folder, name, zipped.SUFFIXES)
    )
    is_told = not {config.source, config.target}.isdisjoint(found)
    if is_told or (len(found) > 1 and "train" not in tables):
        return _parallel(folder, found, config)
    if not tables:
        inside = ", ".join(sorted(p.name for p in folder.iterdir())[:8])
        raise UserError(
            f"--data {folder}: expected train.XX and train.YY for --source XX"
            " --target YY, or train.tsv or .txt; it holds"
            f" {inside or 'nothing'}: rename these, or pass the path of one"
            " .tsv, .txt or .zip"
        )
    readers = {
        split: _reader(_read_table, path, config.reverse, config.encoding)
        for split, path in tables.items()
    }
    return Found(directions.named(config), _complete(readers))


def _by_split(find: Callable[[str], Any]) -> dict[str, Any]:
    """What `find` finds under the name of a split, or another name of it."""
    found: dict[str, Any] = {}
    for name in (*SPLITS, *ALIASES):
        split = ALIASES.get(name, name)
        if split not in found and (paths := find(name)):
            found[split] = paths
    return found


def _parallel(folder: Path, found: list[str], config: Config) -> Found:
    told = {config.source, config.target} - {""}
    # Where one of two is there, `find` names the missing file.
    known = found if told.isdisjoint(found) else sorted(told.union(found))
    pair = directions.choose(known, (), config)
    paths = _by_split(lambda name: parallel.find(folder, name, pair))
    readers = {
        split: _reader(_read_parallel, *both, config.encoding)
        for split, both in paths.items()
    }
    return Found(pair, _complete(readers))


def _read_parallel(source: Path, target: Path, encoding: str) -> Iterator[Pair]:
    lines = parallel.read(source, target, encoding)
    for number, (text, other) in enumerate(lines, 1):
        yield Pair(text, other, f"{source}:{number}")


def _file(path: Path, config: Config) -> Found:
    """Both languages in one file, cut in three."""
    kind = text_files.suffix(path)
    if kind not in (*zipped.SUFFIXES, ".zip"):
        raise UserError(
            f"{path}: expected a .tsv or .txt file of source<TAB>target (or"
            " with .gz, or in a .zip), or the folder of train.XX and train.YY"
        )
    pair, swap = directions.named(config), config.reverse
    if kind == ".zip" and (columns := directions.zip_columns(path)):
        pair = directions.choose(columns, columns[::-1], config)
        swap = pair != columns
    return Found(pair, _cut(_reader(_read_table, path, swap, config.encoding)))


def _read_table(path: Path, swap: bool, encoding: str) -> Iterator[Pair]:
    is_empty = True
    for number, line in enumerate(
        text_files.read_bare_lines(path, encoding), 1
    ):
        where = f"{path}:{number}"
        first, tab, rest = line.partition("\t")
        if tab:
            is_empty = False
            yield _pair(first, rest.partition("\t")[0], where, swap)
        elif line.strip():  # Not just a blank line.
            raise UserError(
                f"{where}: no tab in {line[:40]!r}; expected source<TAB>target"
            )
    if is_empty:
        raise UserError(f"{path}: empty, expected lines of source<TAB>target")


def _tfds(config: Config) -> Found:
    name = config.data.removeprefix("tfds:")
    found = tfds_loader.prepare_builder(name, config.tfds_dir)
    if "train" not in found.info.splits:
        raise UserError(
            f"--data {config.data}: no train split; it has"
            f" {', '.join(found.info.splits)}"
        )
    feature, known = _tfds_languages(found.info.features, config)
    usual = found.info.supervised_keys or ()
    if len(usual) != 2 or not all(key in known for key in usual):
        usual = ()
    pair = directions.choose(known, usual, config)
    readers = {
        ALIASES.get(split, split): _reader(
            _read_tfds, found, split, feature, pair
        )
        for split in found.info.splits
        if ALIASES.get(split, split) in SPLITS
    }
    return Found(pair, _complete(readers))


def _tfds_languages(features: Any, config: Config) -> tuple[str, list[str]]:
    """Where in an example the languages are ("": at its top), and which."""
    import tensorflow_datasets as tfds

    kinds = tfds.features
    inside, at_top = (
        [name for name in features if isinstance(features[name], kind)]
        for kind in (kinds.Translation, kinds.Text)
    )
    if len(inside) == 1:
        return inside[0], sorted(features[inside[0]])
    if len(at_top) < 2:
        has = ", ".join(sorted(features))
        raise UserError(
            f"--data {config.data}: expected a Translation feature or two of"
            f" Text; the data set has {has}"
        )
    return "", sorted(at_top)


def _read_tfds(
    found: Any, split: str, feature: str, pair: tuple[str, str]
) -> Iterator[Pair]:
    import tensorflow_datasets as tfds

    # Each pass reads once: a cache in memory would only fill it.
    once = tfds.ReadConfig(try_autocache=False)
    dataset = found.as_dataset(
        split=split, shuffle_files=False, read_config=once
    )
    for number, row in enumerate(tfds.as_numpy(dataset)):
        row = row[feature] if feature else row
        source, target = (row[key].decode("utf-8", "replace") for key in pair)
        where = f"tfds:{found.name} {split} example {number}"
        yield Pair(source, target, where)
