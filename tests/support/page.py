"""Models with every kind of answer, a server around them, and a browser."""

import base64
import contextlib
import io
import json
import shutil
import threading
import time

import numpy as np
import tensorflow as tf
import uvicorn

from common.serving.config import Config
from tests.support import serving

SIZE = 16  # Of frames.
GRID = 4  # Regions of a picture, each way.
TEXT = [tf.TensorSpec([None], tf.string, "text")]
PICTURE = [tf.TensorSpec([None], tf.string, "image_bytes")]
LENGTHS = tf.TensorSpec([None], tf.int32, "lengths")
CAPTION = ["a", "red", "square", "above", "a", "blue", "circle"]
SOURCE = ["The", "small", "black", "cats", "sleep", "."]
TARGET = ["Les", "petits", "chats", "noirs", "dorment", "."]
ORDER = [0, 1, 3, 2, 4, 5]  # Which word of the source each is of.
TAGS = ["still", "left", "right", "up"]
NOTES = ["C4", "E4", "G4"]
# What a stranger's model may call its labels.
HOSTILE = "<img src=x onerror=document.title='broken'>"


class Sentiment(tf.Module):
    """Texts with "sad" are negative; the longer a word, the more it matters."""

    @tf.function(input_signature=TEXT)
    def __call__(self, text):
        is_sad = tf.strings.regex_full_match(text, "(?i).*sad.*")
        positive = tf.where(is_sad, 0.02, 0.95)
        names = tf.constant(["negative", "positive"])
        return {
            "label": tf.gather(names, tf.cast(~is_sad, tf.int32)),
            "score": tf.maximum(positive, 1 - positive),
            "probabilities": tf.stack([1 - positive, positive], 1),
        }

    @tf.function(input_signature=TEXT)
    def explain(self, text):
        tokens = tf.strings.split(text).to_tensor("")
        lengths = tf.cast(tf.strings.length(tokens), tf.float32) ** 2
        return self(text) | {
            "tokens": tf.concat([tokens, tf.fill([tf.size(text), 2], "")], 1),
            "weights": tf.pad(
                lengths / tf.reduce_sum(lengths, 1, keepdims=True),
                [[0, 0], [0, 2]],
            ),
        }


class Captioning(tf.Module):
    """One caption, whose words look from the upper left to the lower right."""

    @tf.function(input_signature=PICTURE)
    def __call__(self, image_bytes):
        def check(content):
            return tf.reduce_sum(tf.io.decode_image(content))

        sums = tf.map_fn(check, image_bytes, fn_output_signature=tf.uint8)
        return {
            "caption": tf.fill(tf.shape(sums), " ".join(CAPTION)),
            "score": tf.zeros(tf.shape(sums)) - 0.25,
        }

    @tf.function(input_signature=PICTURE)
    def explain(self, image_bytes):
        places = np.arange(GRID)
        centres = np.linspace(0, GRID - 1, len(CAPTION))
        near = np.exp(-((places - centres[:, None]) ** 2))
        grids = near[:, :, None] * near[:, None, :]
        grids /= grids.sum((1, 2), keepdims=True)
        return self(image_bytes) | {
            "words": tf.constant([[*CAPTION, ""]]),
            "weights": tf.constant(
                np.pad(grids, [(0, 1), (0, 0), (0, 0)])[None], tf.float32
            ),
        }


class Translation(tf.Module):
    """One translation, and another one that is less likely."""

    @tf.function(input_signature=TEXT)
    def __call__(self, text):
        shape = tf.shape(text)
        return {
            "translation": tf.fill(shape, " ".join(TARGET)),
            "score": tf.fill(shape, -0.1),
        }

    @tf.function(input_signature=TEXT)
    def n_best(self, text):
        best = " ".join(TARGET)
        return {
            "translations": tf.constant([[best, "Le petit chat dort ."]]),
            "scores": tf.constant([[-0.1, -1.5]]),
        }

    @tf.function(input_signature=TEXT)
    def explain(self, text):
        weights = 0.05 + 0.7 * np.eye(len(SOURCE))[ORDER]
        padded = np.pad(weights, [(0, 1), (0, 1)])[None]
        return self(text) | {
            "source_tokens": tf.constant([[*SOURCE, ""]]),
            "target_tokens": tf.constant([[*TARGET, ""]]),
            "weights": tf.constant(padded, tf.float32),
        }


class Videos(tf.Module):
    """The brighter a frame, the later its tag in the list."""

    @tf.function(
        input_signature=[
            tf.TensorSpec([None, None, SIZE, SIZE, 3], tf.uint8, "frames"),
            LENGTHS,
        ]
    )
    def __call__(self, frames, lengths):
        light = tf.reduce_mean(tf.cast(frames, tf.float32), [2, 3, 4])
        index = tf.cast(light / 256 * len(TAGS), tf.int32)
        mask = tf.sequence_mask(lengths, tf.shape(frames)[1])
        return {
            "tags": tf.where(mask, tf.gather(TAGS, index), ""),
            "probabilities": 0.1 + 0.6 * tf.one_hot(index, len(TAGS)),
        }


class Chords(tf.Module):
    """Notes that are on where the features are positive."""

    @tf.function(
        input_signature=[
            tf.TensorSpec([None, None, len(NOTES)], tf.float32, "features"),
            LENGTHS,
        ]
    )
    def __call__(self, features, lengths):
        names = tf.where(features > 0, tf.constant(NOTES), "")
        joined = tf.strings.reduce_join(names, 2, separator=" ")
        joined = tf.strings.regex_replace(joined, " +", " ")
        return {
            "tags": tf.strings.strip(joined),
            "probabilities": tf.sigmoid(features),
        }


class Other(tf.Module):
    """Somebody else's: two inputs, one output, NaN among its numbers."""

    @tf.function(
        input_signature=[
            tf.TensorSpec([None, 2], tf.float32, "x"),
            tf.TensorSpec([None], tf.string, "names"),
        ]
    )
    def __call__(self, x, names):
        return {"y": tf.math.log(x)}


class Hostile(tf.Module):
    """Its answers are HTML."""

    @tf.function(input_signature=TEXT)
    def __call__(self, text):
        shape = tf.shape(text)
        return {
            "label": tf.fill(shape, HOSTILE),
            "probabilities": tf.ones([shape[0], 1]),
        }


def save(module, folder, request, labels=(), card="", **signatures):
    """Writes a SavedModel with the files that stand beside it."""
    defaults = {"serving_default": module.__call__}
    tf.saved_model.save(module, str(folder), defaults | signatures)
    (folder / "request.json").write_text(json.dumps(request))
    (folder / "labels.txt").write_text("".join(f"{x}\n" for x in labels))
    (folder / "MODEL_CARD.md").write_text(card)


def text_request(text):
    return {"inputs": {"text": [text]}}


def save_all(folder):
    """Writes a model of each kind."""
    sentiment = Sentiment()
    save(
        sentiment,
        folder / "sentiment" / "1",
        text_request("A wonderful and surprising film."),
        ["negative", "positive"],
        "# Text classifier\n\n- It knows <b>English</b> alone.\n",
        explain=sentiment.explain,
    )
    captioning = Captioning()
    save(
        captioning,
        folder / "captioning" / "1",
        {"inputs": {"image_bytes": [{"b64": encode64(make_png())}]}},
        explain=captioning.explain,
    )
    translation = Translation()
    save(
        translation,
        folder / "translation" / "1",
        text_request(" ".join(SOURCE)),
        n_best=translation.n_best,
        explain=translation.explain,
    )
    frames = make_frames().tolist()
    save(
        Videos(),
        folder / "video_tagging" / "2",
        {"inputs": {"frames": [frames], "lengths": [len(frames)]}},
        TAGS,
    )
    save(Chords(), folder / "chords" / "1", {}, NOTES)
    save(Other(), folder / "other" / "1", {})
    save(
        Hostile(), folder / "<hostile>" / "1", text_request(HOSTILE), [HOSTILE]
    )


def encode64(content):
    return base64.b64encode(content).decode()


def make_picture():
    """A red square above a blue circle."""
    picture = np.full([96, 128, 3], 235, np.uint8)
    picture[8:40, 16:48] = [200, 40, 30]
    y, x = np.mgrid[:96, :128]
    picture[(y - 68) ** 2 + (x - 92) ** 2 < 20**2] = [30, 60, 190]
    return picture


def encode_png(picture):
    return tf.io.encode_png(np.asarray(picture, np.uint8)).numpy()


def make_png():
    return encode_png(make_picture())


def make_video(lights, rate):
    """A WebM file whose frames are grey, one after another."""
    import av

    content = io.BytesIO()
    with av.open(content, "w", "webm") as container:
        stream = container.add_stream("libvpx", rate)
        stream.width = stream.height = 64
        stream.pix_fmt = "yuv420p"
        for light in lights:
            pixels = np.full([64, 64, 3], light, np.uint8)
            frame = av.VideoFrame.from_ndarray(pixels, "rgb24")
            container.mux(stream.encode(frame))
        container.mux(stream.encode())
    return content.getvalue()


def make_frames():
    """Twelve frames, brighter every third, with an edge that moves."""
    frames = np.zeros([12, SIZE, SIZE, 3], np.uint8)
    for number, frame in enumerate(frames):
        frame[:] = 32 + 64 * (number // 3)
        frame[4:8, number] = 255 - frame[4:8, number]
    return frames


def make_npy(array, order="C"):
    content = io.BytesIO()
    np.save(content, np.asarray(array, order=order))
    return content.getvalue()


@contextlib.contextmanager
def serve(folder, **options):
    """Yields the address of a server in a thread, and its handlers."""
    handlers = serving.make_routes(folder, Config(**options))
    config = uvicorn.Config(
        Prefixed(handlers.make_app()),
        port=0,
        log_config=None,
        lifespan="off",
        timeout_graceful_shutdown=1,
    )
    server = uvicorn.Server(config)
    thread = threading.Thread(target=server.run, daemon=True)
    thread.start()
    while not server.started:
        time.sleep(0.01)
    port = server.servers[0].sockets[0].getsockname()[1]
    try:
        yield f"http://127.0.0.1:{port}/", handlers
    finally:
        server.should_exit = True
        thread.join()
        handlers.models.close()
        handlers.runner.close()


class Prefixed:
    """Serves the same under /some/prefix/, as a proxy does."""

    PREFIX = "/some/prefix"

    def __init__(self, app):
        self._app = app

    async def __call__(self, scope, receive, send):
        path = scope.get("path", "")
        if path.startswith(f"{self.PREFIX}/"):
            size = len(self.PREFIX)
            raw = scope["raw_path"][size:]
            scope = scope | {"path": path[size:], "raw_path": raw}
        await self._app(scope, receive, send)


def find_browser():
    """Returns the commands of Chromium and its driver, or None for each."""
    browser = shutil.which("chromium") or shutil.which("chromium-browser")
    return browser, shutil.which("chromedriver")


FLAGS = (
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-dev-shm-usage",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--hide-scrollbars",
    "--force-device-scale-factor=1",
    "--lang=en",
)


def open_browser(folder):
    """Starts Chromium with a profile of its own.

    Args:
        folder: for the profile.
    """
    from selenium import webdriver
    from selenium.webdriver.chrome.service import Service

    browser, driver = find_browser()
    options = webdriver.ChromeOptions()
    options.binary_location = browser
    for flag in (*FLAGS, f"--user-data-dir={folder}"):
        options.add_argument(flag)
    options.set_capability("goog:loggingPrefs", {"browser": "ALL"})
    return webdriver.Chrome(options, Service(driver))
