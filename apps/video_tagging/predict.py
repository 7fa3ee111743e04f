"""Tags videos: `python -m PACKAGE.predict RUN a.mp4 b.npy`.

Prints the segments of each video: its name, start, end, tag and confidence.
"""

import contextlib
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

from common import atomic, cli
from common.data import text_files
from common.errors import UserError
from common.media import streams, videos

from . import truth
from .config import Config
from .outputs import segments, streaming, subtitles, timeline
from .outputs.segments import Segment
from .predictor import Predictor, load


class Video(NamedTuple):
    """A video, and what the model says of it.

    Attributes:
        name: without folder and ending.
        found: its segments.
        end: when it ends.
        in_seconds: whether times are seconds; else numbers of frames.
        truth: its true segments, if they are known.
    """

    name: str
    found: list[Segment]
    end: float
    in_seconds: bool
    truth: list[Segment] | None


def inputs(arguments: list[str], file: str, encoding: str) -> Iterator[str]:
    """The videos of the command line, then those of the file, one a line."""
    yield from arguments
    if file:
        path = None if file == "-" else Path(file)
        yield from text_files.read_lines_leniently(path, encoding)


def tag(predictor: Predictor, path: Path, config: Config, labels: str) -> Video:
    """Tags one video.

    Args:
        predictor: the model.
        path: a video, a folder of pictures, or a file of features.
        config: how to read it.
        labels: where the truth is, for comparison; "" if it is not known.

    Raises:
        UserError: if it cannot be read, or is nothing that the model knows.
    """
    tagged, piece = predictor.of_video(path, config)
    period = videos.clip_period(path, config.rate, piece.times)
    name = path.name if path.is_dir() else path.stem
    tags = predictor.labels
    known = None
    if labels:
        known = truth.segments(Path(labels), name, piece, period, tags, config)
    return Video(
        name,
        segments.of_tags(*tagged, tags, piece.times, period),
        float(piece.times[-1] + period),
        videos.has_times(path, config.rate),
        known,
    )


def tagged(
    predictor: Predictor, names: Iterator[str], config: Config, labels: str
) -> Iterator[Video | None]:
    """Yields what is found in each video; None if it cannot be read.

    What is wrong with a video goes to standard error, and the others go on.
    """
    for name in names:
        try:
            yield tag(predictor, Path(name), config, labels)
        except UserError as error:
            print(f"error: {error}", file=sys.stderr)
            yield None


def show(video: Video | None) -> Iterator[str]:
    """One line for each segment; an empty one for what cannot be read."""
    if video is None:
        yield ""
        return
    for segment in video.found:
        yield segments.line(video.name, segment, video.in_seconds)
    if not video.found:  # Sets of tags may all be empty.
        end = segments.number(video.end, video.in_seconds)
        yield f"{video.name}\t0\t{end}\t-\t"


def _parser() -> cli.Parser:
    parser = cli.Parser(f"{__package__}.predict", __doc__ or "")
    add = parser.add_argument
    add("run", help="a run folder or an exported SavedModel")
    add("video", nargs="*", help="videos, folders of pictures, .npy features")
    add("--file", default="", help="a file of one video a line; - for stdin")
    add("--encoding", default="utf-8", help="the text encoding of files")
    add(
        "--rate",
        type=float,
        help="frames a second to look at, in place of the one of training",
    )
    add("--csv", default="", help="a table of all segments to write")
    add("--srt", default="", help="a subtitle file; for many videos, a folder")
    add(
        "--timeline",
        default="",
        help=f"a picture, .png, of at most {timeline.MAX_VIDEOS} videos",
    )
    add(
        "--labels",
        default="",
        help="annotations.csv or a folder of label files: drawn above",
    )
    add(
        "--live",
        default="",
        metavar="SOURCE",
        help="tag a stream as it comes: a camera (0, 1, ...), an address, a"
        " file, or - for a video, or lines of features, on standard input",
    )
    return parser


def _arguments() -> Any:
    parser = _parser()
    args = parser.parse_intermixed_args()
    if bool(args.live) == bool(args.video or args.file):
        parser.error(
            "give videos, or --file FILE (- for standard input), or --live"
        )
    if args.rate is not None and args.rate < 0:
        parser.error(f"--rate must be at least 0, got {args.rate}")
    if args.live and (args.csv or args.srt or args.timeline):
        parser.error("--live writes no files: it prints tags as they change")
    if args.labels and not args.timeline:
        parser.error("--labels are for --timeline: name a picture to draw")
    return args


def write(videos: list[Video], args: Any, predictor: Predictor) -> None:
    """Writes the files that were asked for.

    Raises:
        UserError: if one cannot be written, or needs what is not known.
    """
    in_seconds = all(video.in_seconds for video in videos)
    if not in_seconds and any(video.in_seconds for video in videos):
        raise UserError(
            "some videos have times and others none: give --rate, or write"
            " files of them one by one"
        )
    if args.csv:
        rows = [(video.name, x) for video in videos for x in video.found]
        text = subtitles.csv_text(rows, in_seconds)
        atomic.write_text(Path(args.csv), text)
    if args.srt:
        if not in_seconds:
            raise UserError(
                "--srt needs times: say with --rate how many frames a second"
                " there are"
            )
        _write_subtitles(videos, Path(args.srt), predictor.config.background)
    if args.timeline:
        config = predictor.config
        tags = timeline.Tags(
            predictor.labels, config.background, config.multi_label
        )
        drawn = [timeline.Row(x.name, x.found, x.truth, x.end) for x in videos]
        timeline.timeline(drawn, tags, in_seconds, Path(args.timeline))


def _write_subtitles(videos: list[Video], to: Path, background: str) -> None:
    is_file = to.suffix.lower() == ".srt"
    if is_file and len(videos) > 1:
        raise UserError(
            f"--srt {to}: one file for {len(videos)} videos; name a folder"
        )
    if len({video.name for video in videos}) < len(videos):
        raise UserError(
            f"--srt {to}: two videos of one name would have one file: write"
            " them one by one"
        )
    for video in videos:
        path = to if is_file else to / f"{video.name}.srt"
        text = subtitles.srt(video.found, skip=[background])
        atomic.write_text(path, text)


def tag_live(predictor: Predictor, source: str, config: Config) -> None:
    """Prints the tags of a stream as they change, until it ends.

    Raises:
        UserError: if the model is not causal, or the stream cannot be read.
    """
    function = predictor.live()
    if predictor.sees_frames:
        stream = streams.stream_frames(source, config.image_size, config.rate)
    elif source == "-":
        assert predictor.dim is not None
        rows = streams.parse_features(sys.stdin, predictor.dim)
        rate = config.rate or 1.0
        stream = ((number / rate, row) for number, row in enumerate(rows))
    else:
        raise UserError(
            f"--live {source}: this model knows features only; pipe them in,"
            " one frame a line, and give --live -"
        )
    sets = predictor.config.multi_label
    with contextlib.suppress(KeyboardInterrupt):  # The way to end a stream.
        for line in streaming.run(function, stream, predictor.labels, sets):
            print(line, flush=True)


def main() -> None:
    """Reads the command line and prints the segments of each video."""
    args = _arguments()
    predictor = load(args.run)
    config = cli.override(predictor.config, args)
    if args.live:
        tag_live(predictor, args.live, config)
        return
    names = inputs(args.video, args.file, args.encoding)
    found = []
    num_missing = 0
    for video in tagged(predictor, names, config, args.labels):
        for line in show(video):
            print(line, flush=True)
        num_missing += video is None
        if video is not None:
            found.append(video)
    if found:
        write(found, args, predictor)
    if num_missing:
        sys.exit(2)


if __name__ == "__main__":
    cli.main(main)
