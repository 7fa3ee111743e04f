"""Writes the built-in scenes as files, an example of a folder of one's own.

`python -m PACKAGE FOLDER` makes a folder with the files of Flickr8k.
"""

from pathlib import Path

from common import atomic, cli
from common.data.splits import SPLITS

from . import generate

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
        num: the number of scenes of each split.
        seed: another seed gives other scenes.

    Raises:
        UserError: if the folder exists or cannot be written.
    """
    with atomic.make_folder(folder) as partial:
        images = partial / "images"
        images.mkdir()
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
            atomic.write_lines(partial / LISTS[split], names)
        atomic.write_lines(partial / CAPTIONS, lines)


def main() -> None:
    """Writes the folder that the command line names."""
    parser = cli.generate_parser(__package__, __doc__ or "", "scenes")
    args = parser.parse_args()
    write(Path(args.folder), args.num, args.seed)
    print(
        f"{args.folder}: {args.num} scenes each for training, validation and"
        " test, with five captions each"
    )


if __name__ == "__main__":
    cli.main(main)
