"""Writes the built-in sentences as files, an example of a folder of one's own.

`python -m PACKAGE FOLDER` makes a folder with `train.en` and `train.fr`, one
sentence a line, and the same for validation and test.
"""

from pathlib import Path

from common import atomic, cli
from common.data.splits import SPLITS

from . import generate


def write(folder: Path, num: int, seed: int) -> None:
    """Writes sentences of every split to a new folder, whole or not at all.

    Args:
        folder: must not exist.
        num: the number of sentences of each split.
        seed: another seed gives other sentences.

    Raises:
        UserError: if the folder exists or cannot be written.
    """
    with atomic.make_folder(folder) as partial:
        for split in SPLITS:
            english, french = zip(*generate(split, num, seed), strict=True)
            atomic.write_lines(partial / f"{split}.en", english)
            atomic.write_lines(partial / f"{split}.fr", french)


def main() -> None:
    """Writes the folder that the command line names."""
    parser = cli.generate_parser(__package__, __doc__ or "", "sentences")
    args = parser.parse_args()
    write(Path(args.folder), args.num, args.seed)
    print(
        f"{args.folder}: {args.num} sentences each for training, validation"
        " and test, in English and French"
    )


if __name__ == "__main__":
    cli.main(main)
