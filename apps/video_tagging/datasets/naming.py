"""Names of videos that are given as paths."""

from collections import Counter
from collections.abc import Sequence
from pathlib import Path

from .folders import strip_ending


def video_name(path: Path) -> str:
    """Returns the name of a video: that of its file without the ending.

    The names of a layout of your own may be others, such as those of folders
    with `frames.avi` inside: return `path.absolute().parent.name` for those.

    Example:
        >>> video_name(Path("videos/S1_Tea.mp4"))
        'S1_Tea'
    """
    return strip_ending(path.name if path.is_dir() else path.stem)


def name_videos(paths: Sequence[Path]) -> list[str]:
    """Returns the names of videos that are shown together.

    Those that would have one name get their folder before it.

    Example:
        >>> name_videos([Path("a/frames.avi"), Path("b/frames.avi")])
        ['a/frames', 'b/frames']
        >>> name_videos([Path("a/tea.avi"), Path("b/frames.avi")])
        ['tea', 'frames']
    """
    counts = Counter(video_name(path) for path in set(paths))
    return [_add_folder(path, counts[video_name(path)] > 1) for path in paths]


def _add_folder(path: Path, is_needed: bool) -> str:
    name = video_name(path)
    folder = path.absolute().parent.name
    return f"{folder}/{name}" if is_needed and folder else name
