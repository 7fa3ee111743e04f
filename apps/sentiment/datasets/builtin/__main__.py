"""Writes the built-in reviews as files, an example of a folder of one's own.

`python -m PACKAGE FOLDER` makes a folder with `train.csv`, `valid.csv` and
`test.csv`, each with the columns `text` and `label`.
"""

import csv
from pathlib import Path

from common import atomic, cli
from common.data.splits import SPLITS

from . import generate


def write(folder: Path, num: int, seed: int) -> None:
    """Writes reviews of every split to a new folder, whole or not at all.

    Args:
        folder: must not exist.
        num: the number of reviews of each split.
        seed: another seed gives other reviews.

    Raises:
        UserError: if the folder exists or cannot be written.
    """
    with atomic.make_folder(folder) as partial:
        for split in SPLITS:
            path = partial / f"{split}.csv"
            with path.open("w", encoding="utf-8", newline="") as file:
                writer = csv.writer(file)
                writer.writerow(["text", "label"])
                writer.writerows(generate(split, num, seed))


def main() -> None:
    """Writes the folder that the command line names."""
    parser = cli.generate_parser(__package__, __doc__ or "", "reviews")
    args = parser.parse_args()
    write(Path(args.folder), args.num, args.seed)
    print(
        f"{args.folder}: {args.num} reviews each for training, validation and"
        " test, with their labels"
    )


if __name__ == "__main__":
    cli.main(main)
