"""Small videos, and an encoder that counts the frames it sees."""

import numpy as np
import tensorflow as tf

from common.media import videos


def moving_square(length, seed=0):
    """Frames with a square that moves, so that they differ."""
    frames = np.full([length, 32, 48, 3], 40 * (seed + 1), np.uint8)
    for number, frame in enumerate(frames):
        frame[8:24, number % 40 : number % 40 + 8] = 255
    return frames


def write_videos(folder, **lengths):
    """Writes a video of each name and length, ten frames a second."""
    folder.mkdir(parents=True, exist_ok=True)
    for seed, (name, length) in enumerate(lengths.items()):
        frames = moving_square(length, seed)
        videos.write_video(folder / f"{name}.mp4", frames, 10.0)
    return videos.find_videos(folder)


def write_frame_folder(folder, frames, name="frame{}.png"):
    """Writes a picture for each frame."""
    folder.mkdir(parents=True)
    for number, pixels in enumerate(frames):
        content = tf.io.encode_png(pixels).numpy()
        (folder / name.format(number)).write_bytes(content)
    return folder


class MeanColours:
    """Stands for a network: the mean colour. Knows how many it saw."""

    def __init__(self):
        self.seen = 0

    def __call__(self, pixels):
        def means(values):
            self.seen += len(values)
            return values.astype("f").mean((1, 2))

        return tf.ensure_shape(
            tf.numpy_function(means, [pixels], tf.float32), [None, 3]
        )
