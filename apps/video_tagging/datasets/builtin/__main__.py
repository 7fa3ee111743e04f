"""Writes the built-in clips as files, an example of a folder of one's own.

`python -m PACKAGE FOLDER` makes a folder of videos, annotations,
the names of the videos of each split, and the order of the tags.
"""

import itertools
from pathlib import Path

from common import atomic, cli
from common.data.splits import SPLITS
from common.media import videos

from . import RATE, TAGS, Scene, generate


def write(folder: Path, num: int, seed: int, multi_label: bool) -> None:
    """Writes clips of every split to a new folder, whole or not at all.

    Args:
        folder: must not exist.
        num: the number of clips of each split.
        seed: another seed gives other clips.
        multi_label: a set of tags for each frame, not one tag.

    Raises:
        UserError: if the folder exists or cannot be written, or if PyAV is
            missing.
    """
    with atomic.make_folder(folder) as partial:
        (partial / "videos").mkdir()
        (partial / "splits").mkdir()
        rows = ["video,start,end,tag"]
        for split in SPLITS:
            names = []
            for scene in generate(split, num, seed, multi_label):
                path = partial / "videos" / f"{scene.name}.mp4"
                videos.write_video(path, scene.frames, RATE)
                names.append(scene.name)
                rows += annotations(scene)
            atomic.write_lines(partial / "splits" / f"{split}.bundle", names)
        atomic.write_lines(partial / "annotations.csv", rows)
        ids = [f"{id} {tag}" for id, tag in enumerate(TAGS)]
        atomic.write_lines(partial / "mapping.txt", ids)


def annotations(scene: Scene) -> list[str]:
    """Says when the shape does what.

    Args:
        scene: a clip.

    Returns:
        Lines "video,start,end,tag", sorted by time and the order of the tags;
        start and end in seconds.

    Example:
        >>> import numpy as np
        >>> lines = ("up", "up", "left", "left")
        >>> annotations(Scene("a", np.zeros([4, 32, 32, 3]), lines))
        ['a,0.0000,0.1250,up', 'a,0.1250,0.3333,left']
    """
    runs = []
    for order, tag in enumerate(TAGS):
        happens = [tag in line.split() for line in scene.lines]
        for value, group in itertools.groupby(
            range(len(happens)), happens.__getitem__
        ):
            frames = list(group)
            if value:
                runs.append((frames[0], order, frames[-1] + 1))
    num_frames = len(scene.lines)
    return [
        f"{scene.name},{_seconds(start, num_frames)}"
        f",{_seconds(end, num_frames)},{TAGS[order]}"
        for start, order, end in sorted(runs)
    ]


def _seconds(frame: int, num_frames: int) -> str:
    """The time of the boundary before a frame, or of an end of the clip.

    Frame k is shown at k/12 s. A boundary in the middle between two frames
    leaves no doubt, however times are rounded, on which side each of them is.
    """
    halves = 1 if 0 < frame < num_frames else 0
    return f"{(frame - halves / 2) / RATE:.4f}"


def main() -> None:
    """Writes the folder that the command line names."""
    parser = cli.generate_parser(__package__, __doc__ or "", "clips")
    parser.add_argument(
        "--multi-label",
        action="store_true",
        help="a set of tags for each frame, not one tag",
    )
    args = parser.parse_args()
    write(Path(args.folder), args.num, args.seed, args.multi_label)
    print(
        f"{args.folder}: {args.num} videos each for training, validation and"
        f" test, of {RATE:.0f} frames a second"
    )


if __name__ == "__main__":
    cli.main(main)
