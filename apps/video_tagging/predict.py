"""Tags videos: `python -m PACKAGE.predict RUN a.mp4 b.npy`.

Prints the segments of each video: its name, start, end, tag and confidence.
"""

import argparse
import contextlib
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

from common import atomic, cli, notes, options
from common.characters import printable
from common.errors import UserError, format_names
from common.media import streams, videos
from common.media.folders import expand_folders
from common.media.videos import Clip

from . import data, datasets
from .config import Config, predict_parser
from .outputs import segments, streaming, subtitles, timeline
from .outputs.segments import Segment
from .predictor import Predictor, load


class VideoSegments(NamedTuple):
    """A video and its segments.

    Attributes:
        name: as of `datasets.name_videos`.
        segments: those of the model.
        truth: the true ones; None if they are not known.
        end: when it ends.
        in_seconds: whether times are seconds; else numbers of frames.
    """

    name: str
    segments: list[Segment]
    truth: list[Segment] | None
    end: float
    in_seconds: bool


def tag_video(
    predictor: Predictor,
    path: Path,
    config: Config,
    labels: str = "",
    name: str = "",
) -> VideoSegments:
    """Tags one video.

    Args:
        predictor: the model.
        path: a video, a folder of pictures, or a file of features.
        config: how to read it.
        labels: where the truth is, for comparison; "" if it is not known.
        name: of the video; "" for `datasets.video_name`.

    Raises:
        UserError: if it cannot be read, or is nothing that the model knows.
    """
    prediction, clip = predictor.predict_video(path, config)
    period = videos.clip_period(path, config.frame_rate, clip.times)
    rate = 1 / period if videos.has_times(path, config.frame_rate) else 0
    notes.print_note(str(path), predictor.describe_rate(rate))
    truth = None
    if labels:
        example = _find_truth(Path(labels), path, name, config)
        truth = _true_segments(example, clip, period, predictor.labels, config)
    return VideoSegments(
        name or datasets.video_name(path),
        segments.find_segments(
            *prediction, predictor.labels, clip.times, period
        ),
        truth,
        float(clip.times[-1] + period),
        videos.has_times(path, config.frame_rate),
    )


def _find_truth(
    labels: Path, path: Path, name: str, config: Config
) -> datasets.Example:
    annotations = datasets.read_annotations(labels, data.label_options(config))
    bare = datasets.video_name(path)
    for key in (name, bare):
        if key in annotations:
            return datasets.Example(key, path, annotations[key])
    raise UserError(
        f"--labels {labels}: none of the video {name or bare}; it has"
        f" {format_names(annotations)}"
    )


def _true_segments(
    example: datasets.Example,
    clip: Clip,
    period: float,
    labels: list[str],
    config: Config,
) -> list[Segment]:
    tags, _ = data.encode_labels(example, clip, labels, config)
    if config.multi_label:
        tags = tags > 0
    return segments.find_segments(tags, None, labels, clip.times, period)


def tag_videos(
    predictor: Predictor, inputs: Sequence[str], config: Config, labels: str
) -> Iterator[VideoSegments | None]:
    """Yields each tagged video; None if it cannot be read.

    An error of a video goes to standard error, and the others go on.
    """
    paths = [Path(text) for text in inputs]
    names = datasets.name_videos(paths)
    for path, name in zip(paths, names, strict=True):
        try:
            yield tag_video(predictor, path, config, labels, name)
        except UserError as error:
            cli.print_error(error)
            yield None


def format_video(video: VideoSegments | None) -> Iterator[str]:
    """Yields a line for each segment; an empty one for what cannot be read."""
    if video is None:
        yield ""
        return
    for segment in video.segments:
        yield segments.format_segment(video.name, segment, video.in_seconds)
    if not video.segments:  # Sets of tags may all be empty.
        end = segments.format_time(video.end, video.in_seconds)
        yield f"{printable(video.name)}\t0\t{end}\t-\t"


def to_json(path: str | None, video: VideoSegments | None) -> dict:
    """Returns a video and its segments, which are null if it is not read.

    Times are seconds, or numbers of frames where `in_seconds` is false.
    """
    if video is None:
        return {"video": path, "segments": None}
    return {
        "video": path,
        "name": video.name,
        "in_seconds": video.in_seconds,
        "end": video.end,
        "segments": [segment._asdict() for segment in video.segments],
    }


def write_files(
    tagged: list[VideoSegments], args: argparse.Namespace, predictor: Predictor
) -> None:
    """Writes the files that were asked for.

    Raises:
        UserError: if one cannot be written, or needs what is not known.
    """
    in_seconds = all(video.in_seconds for video in tagged)
    if not in_seconds and any(video.in_seconds for video in tagged):
        raise UserError(
            "some videos have times and others none: give --frame-rate, or"
            " write files of them one by one"
        )
    if args.csv:
        rows = [(video.name, x) for video in tagged for x in video.segments]
        text = subtitles.format_csv(rows, in_seconds)
        atomic.write_text(Path(args.csv), text)
    if args.srt:
        if not in_seconds:
            raise UserError(
                "--srt needs times: say with --frame-rate how many frames a"
                " second there are"
            )
        _write_subtitles(tagged, Path(args.srt), predictor.config.background)
    if args.timeline:
        config = predictor.config
        tags = timeline.Tags(
            predictor.labels, config.background, config.multi_label
        )
        bars = [
            timeline.Row(x.name, x.segments, x.truth, x.end) for x in tagged
        ]
        timeline.draw_timeline(bars, tags, in_seconds, Path(args.timeline))


def _write_subtitles(
    tagged: list[VideoSegments], to: Path, background: str
) -> None:
    is_file = to.suffix.lower() == ".srt"
    if is_file and len(tagged) > 1:
        raise UserError(
            f"--srt {to}: one file for {len(tagged)} videos; name a folder"
        )
    if len({video.name for video in tagged}) < len(tagged):
        raise UserError(
            f"--srt {to}: two videos of one name would have one file: write"
            " them one by one"
        )
    for video in tagged:
        path = to if is_file else to / f"{video.name}.srt"
        text = subtitles.format_srt(video.segments, skip=[background])
        atomic.write_text(path, text)


def tag_stream(predictor: Predictor, source: str, config: Config) -> None:
    """Prints the tags of a stream as they change, until it ends.

    Raises:
        UserError: if the model is not causal, or the stream cannot be read.
    """
    predict_next = predictor.make_stream_fn()
    rate = config.frame_rate
    if predictor.takes_frames:
        frames = streams.stream_frames(source, config.image_size, rate)
    elif source == "-":
        rows = streams.parse_features(sys.stdin, predictor.dim)
        frames = (
            (number / (rate or 1.0), row) for number, row in enumerate(rows)
        )
    else:
        raise UserError(
            f"--live {source}: this model knows features only; pipe them in,"
            " one frame a line, and give --live -"
        )
    lines = streaming.stream_lines(
        predict_next, frames, predictor.labels, predictor.config.multi_label
    )
    with contextlib.suppress(KeyboardInterrupt):  # The way to end a stream.
        for line in lines:
            print(line, flush=True)


def parse_args() -> argparse.Namespace:
    """Reads the command line, and checks that its flags fit each other."""
    parser = predict_parser()
    args = parser.parse_intermixed_args()
    if not args.live:
        cli.choose_inputs(parser, args, "videos")
    elif args.inputs or args.file:
        parser.error(
            "give videos, or --file FILE (- for standard input), or --live"
        )
    if args.live and args.json:
        parser.error("--live prints tags as they change, without --json")
    if args.live and (args.csv or args.srt or args.timeline):
        parser.error("--live writes no files: it prints tags as they change")
    if args.labels and not args.timeline:
        parser.error("--labels are for --timeline: name a picture to draw")
    return args


def main() -> None:
    """Prints the segments of each video, or the tags of a stream."""
    args = parse_args()
    predictor = load(args.run)
    config = options.override(predictor.config, args)
    if args.live:
        tag_stream(predictor, args.live, config)
        return
    args.inputs = expand_folders(args.inputs, datasets.list_videos)
    paths = list(cli.read_inputs(args.inputs, args.file, args.encoding))
    videos_tagged = cli.answer_inputs(
        lambda read: tag_videos(predictor, [*read], config, args.labels), paths
    )
    tagged = []
    num_broken = 0
    for path, video in zip(paths, videos_tagged, strict=True):
        if args.json:
            cli.print_json(to_json(path, video))
        else:
            for line in format_video(video):
                print(line, flush=True)
        if video is None:
            num_broken += 1
        else:
            tagged.append(video)
    if tagged and (args.csv or args.srt or args.timeline):
        write_files(tagged, args, predictor)
    if num_broken:
        sys.exit(2)


if __name__ == "__main__":
    cli.main(main)
