"""Times a trained tagger: milliseconds a frame, live and of a whole video.

    python -m benchmarks.video_tagging RUN [--time 500]

tags frames of noise: a causal model one frame after the other, as of a stream,
and in windows with carried states; every model a whole video. RUN is a run
folder or an export.
"""

import statistics
import time
from collections.abc import Callable

import numpy as np

from apps.video_tagging import predictor
from common import cli
from common.media import videos


def make_noise(model: predictor.Predictor, length: int) -> np.ndarray:
    """Returns frames <uint8> or features <float32> of noise."""
    rng = np.random.default_rng(0)
    size = model.config.image_size
    if model.takes_frames:
        return rng.integers(0, 256, [length, size, size, 3], np.uint8)
    return rng.normal(size=[length, model.dim]).astype(np.float32)


def time_stream(model: predictor.Predictor, values: np.ndarray) -> list[float]:
    """Returns seconds of each frame of a stream, the first few left out."""
    tag = model.make_stream_fn()
    seconds = []
    for number in range(len(values)):
        started = time.perf_counter()
        tag(values[number : number + 1])
        seconds.append(time.perf_counter() - started)
    return seconds[10:]


def time_median(rounds: int, run: Callable[[], object]) -> float:
    """Returns the median of seconds of several runs, after a first one."""
    run()
    seconds = []
    for _ in range(rounds):
        started = time.perf_counter()
        run()
        seconds.append(time.perf_counter() - started)
    return statistics.median(seconds)


def main() -> None:
    """Prints milliseconds a frame."""
    parser = cli.Parser("benchmarks.video_tagging", __doc__ or "")
    add = parser.add_argument
    add("run", help="a run folder or an export of apps.video_tagging")
    add("--time", type=int, default=500, help="frames of the video")
    add("--rounds", type=int, default=5)
    args = parser.parse_args()
    model = predictor.load(args.run)
    values = make_noise(model, args.time)
    chunk = videos.CLIP_FRAMES
    chunks = [values[k : k + chunk] for k in range(0, args.time, chunk)]
    if model.config.causal:
        seconds = sorted(time_stream(model, values))
        late = seconds[int(0.99 * len(seconds))]
        print(
            f"live: {1e3 * statistics.median(seconds):.2f} ms a frame"
            f" (99 of 100 within {1e3 * late:.2f})"
        )
    total = time_median(args.rounds, lambda: model.predict_chunks(chunks))
    print(f"a video of {args.time}: {1e3 * total / args.time:.3f} ms a frame")


if __name__ == "__main__":
    cli.main(main)
