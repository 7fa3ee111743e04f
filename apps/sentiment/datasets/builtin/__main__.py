"""Writes the built-in reviews as files, an example of a folder of one's own.

`python -m PACKAGE FOLDER` makes a folder with `train.csv`, `valid.csv` and
`test.csv`, each with the columns `text` and `label`.
"""

import csv
from pathlib import Path

from common import atomic, cli
from common.errors import UserError

from . import SPLITS, generate


def write(folder: Path, num: int, seed: int) -> None:
    """Writes reviews of every split to a new folder, whole or not at all.

    Args:
        folder: must not exist.
        num: how many reviews of each split.
        seed: another seed gives other reviews.

    Raises:
        UserError: if the folder exists or cannot be written.
    """
    if folder.exists():
        raise UserError(
            f"{folder}: exists already; expected the name of a new folder:"
            " choose another, or remove it"
        )
    with atomic.written(folder) as partial:
        partial.mkdir()
        for split in SPLITS:
            path = partial / f"{split}.csv"
            with path.open("w", encoding="utf-8", newline="") as file:
                writer = csv.writer(file)
                writer.writerow(["text", "label"])
                writer.writerows(generate(split, num, seed))


def main() -> None:
    """Reads the command line, writes the folder, and tells what is in it."""
    parser = cli.Parser(__package__, __doc__ or "")
    parser.add_argument("folder", help="a folder that does not exist yet")
    parser.add_argument(
        "--num", type=int, default=100, help="reviews of each split"
    )
    parser.add_argument(
        "--seed", type=int, default=0, help="another gives other reviews"
    )
    args = parser.parse_args()
    for flag, least in (("num", 1), ("seed", 0)):
        value = getattr(args, flag)
        if value < least:
            raise UserError(f"--{flag} must be at least {least}, got {value}")
    write(Path(args.folder), args.num, args.seed)
    print(
        f"{args.folder}: {args.num} reviews each for training, validation and"
        " test, with their labels"
    )


if __name__ == "__main__":
    cli.main(main)
