"""How fast a trained tagger answers: milliseconds a frame, live and whole.

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


def noise(model: predictor.Predictor, length: int) -> np.ndarray:
    """Frames <uint8> or features <float32> of a video that shows nothing."""
    rng = np.random.default_rng(0)
    size = model.config.image_size
    if model.sees_frames:
        return rng.integers(0, 256, [length, size, size, 3], np.uint8)
    return rng.normal(size=[length, model.dim or 1]).astype(np.float32)


def live(model: predictor.Predictor, values: np.ndarray) -> list[float]:
    """Seconds of each frame of a stream, the first few left out."""
    tag = model.live()
    seconds = []
    for number in range(len(values)):
        started = time.perf_counter()
        tag(values[number : number + 1])
        seconds.append(time.perf_counter() - started)
    return seconds[10:]


def median_of(rounds: int, run: Callable[[], object]) -> float:
    """The median of the seconds it takes; a first run does not count."""
    run()
    seconds = []
    for _ in range(rounds):
        started = time.perf_counter()
        run()
        seconds.append(time.perf_counter() - started)
    return statistics.median(seconds)


def main() -> None:
    """Reads the command line and prints milliseconds a frame."""
    parser = cli.Parser("benchmarks.video_tagging", __doc__ or "")
    add = parser.add_argument
    add("run", help="a run folder or an export of apps.video_tagging")
    add("--time", type=int, default=500, help="frames of the video")
    add("--rounds", type=int, default=5)
    args = parser.parse_args()
    model = predictor.load(args.run)
    values = noise(model, args.time)
    chunk = videos.CLIP_FRAMES
    chunks = [values[k : k + chunk] for k in range(0, args.time, chunk)]
    if model.is_causal:
        seconds = sorted(live(model, values))
        late = seconds[int(0.99 * len(seconds))]
        print(
            f"live: {1e3 * statistics.median(seconds):.2f} ms a frame"
            f" (99 of 100 within {1e3 * late:.2f})"
        )
    whole = median_of(args.rounds, lambda: model.of_chunks(chunks))
    print(f"a video of {args.time}: {1e3 * whole / args.time:.3f} ms a frame")


if __name__ == "__main__":
    cli.main(main)
