"""The rows a model is scored on: held-out ones of its own data, or all."""

from collections.abc import Mapping
from pathlib import Path

from common.characters import printable
from common.data.splits import Stream


def is_own(data: str, run_data: str) -> bool:
    """Returns True if data are those of training, whatever path names them.

    Args:
        data: the SPEC to score.
        run_data: the SPEC of training, from the config of the run.
    """
    if data == run_data:
        return True
    pair = [Path(spec).expanduser() for spec in (data, run_data)]
    return all(x.exists() for x in pair) and pair[0].samefile(pair[1])


def choose_split(
    name: str, data: str, run_data: str, splits: Mapping[str, object]
) -> str:
    """Chooses the split to score where the command line names none.

    Of data that training read, and of others with splits of their own, it is
    "test". A file or a folder without splits would be cut by a hash, to hold
    rows out: where training read nothing of it, all of it can be scored.

    Args:
        name: the split of the command line; "" for none.
        data: the SPEC to score.
        run_data: the SPEC of training.
        splits: of the data.

    Example:
        >>> choose_split("", "builtin", "builtin", {})
        'test'
    """
    if name:
        return name
    if is_own(data, run_data):
        return "test"
    test = splits.get("test")
    is_cut = isinstance(test, Stream) and test.is_cut
    return "all" if is_cut or Path(data).expanduser().is_file() else "test"


def describe_rows(split: str, count: int, data: str, run_data: str) -> str:
    """Returns the first line of a report: which rows were scored.

    Example:
        >>> describe_rows("all", 300, "new.csv", "tickets.csv")
        'all: 300 examples of new.csv, which training did not read'
        >>> describe_rows("test", 30, "tickets.csv", "tickets.csv")
        'test: 30 examples of tickets.csv, held out from training'
    """
    note = "which training did not read"
    if is_own(data, run_data):
        note = {
            "test": "held out from training",
            "valid": "by which training chose its best epoch",
        }.get(split, "on which it was trained")
    return f"{split}: {count} examples of {printable(data)}, {note}"
