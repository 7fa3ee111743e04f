"""Writes the built-in scenes as files, an example of a folder of one's own.

`python -m PACKAGE FOLDER` makes a folder with the files of Flickr8k.
"""

from pathlib import Path

from common import atomic, cli
from common.errors import UserError

from . import SPLITS, generate

# Flickr8k's own names.
CAPTIONS = "Flickr8k.token.txt"
LISTS = {
    "train": "Flickr_8k.trainImages.txt",
    "valid": "Flickr_8k.devImages.txt",
    "test": "Flickr_8k.testImages.txt",
}


def write(folder: Path, num: int, seed: int) -> None:
    """Writes scenes of every split to a new folder, whole or not at all.

    Args:
        folder: must not exist.
        num: how many scenes of each split.
        seed: another seed gives other scenes.

    Raises:
        UserError: if the folder exists or cannot be written.
    """
    if folder.exists():
        raise UserError(
            f"{folder}: exists already; expected the name of a new folder:"
            " choose another, or remove it"
        )
    with atomic.write(folder) as partial:
        images = partial / "images"
        images.mkdir(parents=True)
        lines: list[str] = []
        for split in SPLITS:
            names = []
            for scene in generate(split, num, seed):
                (images / scene.name).write_bytes(scene.png)
                names.append(scene.name)
                lines += [
                    f"{scene.name}#{number}\t{caption}"
                    for number, caption in enumerate(scene.captions)
                ]
            _write_lines(partial / LISTS[split], names)
        _write_lines(partial / CAPTIONS, lines)


def _write_lines(path: Path, lines: list[str]) -> None:
    path.write_text("".join(f"{line}\n" for line in lines), encoding="utf-8")


def main() -> None:
    """Reads the command line, writes the folder, and tells what is in it."""
    parser = cli.Parser(__package__, __doc__ or "")
    parser.add_argument("folder", help="a folder that does not exist yet")
    parser.add_argument(
        "--num", type=int, default=100, help="scenes of each split"
    )
    parser.add_argument(
        "--seed", type=int, default=0, help="another gives other scenes"
    )
    args = parser.parse_args()
    for flag, least in (("num", 1), ("seed", 0)):
        value = getattr(args, flag)
        if value < least:
            raise UserError(f"--{flag} must be at least {least}, got {value}")
    write(Path(args.folder), args.num, args.seed)
    print(
        f"{args.folder}: {args.num} scenes each for training, validation and"
        " test, with five captions each"
    )


if __name__ == "__main__":
    cli.main(main)
