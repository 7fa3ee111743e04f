"""Writes the built-in sentences as files, an example of a folder of one's own.

`python -m PACKAGE FOLDER` makes a folder with `train.en` and `train.fr`, one
sentence a line, and the same for validation and test.
"""

from collections.abc import Iterable
from pathlib import Path

from common import atomic, cli
from common.errors import UserError

from . import SPLITS, generate


def write(folder: Path, num: int, seed: int) -> None:
    """Writes sentences of every split to a new folder, whole or not at all.

    Args:
        folder: must not exist.
        num: how many sentences of each split.
        seed: another seed gives other sentences.

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
            english, french = zip(*generate(split, num, seed), strict=True)
            _write_lines(partial / f"{split}.en", english)
            _write_lines(partial / f"{split}.fr", french)


def _write_lines(path: Path, lines: Iterable[str]) -> None:
    path.write_text("".join(f"{line}\n" for line in lines), encoding="utf-8")


def main() -> None:
    """Reads the command line, writes the folder, and tells what is in it."""
    parser = cli.Parser(__package__, __doc__ or "")
    parser.add_argument("folder", help="a folder that does not exist yet")
    parser.add_argument(
        "--num", type=int, default=100, help="sentences of each split"
    )
    parser.add_argument(
        "--seed", type=int, default=0, help="another gives other sentences"
    )
    args = parser.parse_args()
    for flag, least in (("num", 1), ("seed", 0)):
        value = getattr(args, flag)
        if value < least:
            raise UserError(f"--{flag} must be at least {least}, got {value}")
    write(Path(args.folder), args.num, args.seed)
    print(
        f"{args.folder}: {args.num} sentences each for training, validation"
        " and test, in English and French"
    )


if __name__ == "__main__":
    cli.main(main)
